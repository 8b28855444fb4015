"""Timers that shoppers' rows have asked for, by the partition that owns the rows.

A row holds when each of its timers is due. So that due ones are found without looking at every row, the partition keeps
entries: a time, a shopper, a timer. A row has one entry a timer, and none is written anew while the timer only moves
to a later time: an entry that comes up before its timer is due is put back at the new time. So a timer that every event
postpones costs one entry for each time it could have fired.

Entries lie in rows of a bounded size, parted by the hour in which they come up, so that a batch writes the few rows it
adds to; an hour that has passed is dropped as a whole. In memory there is one entry for each timer that is pending.
"""

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from feature_repo.basics.schema import reader

_BUCKET_MS: Final = 3_600_000
_ENTRIES: Final = 256
"""Of a row: some ten kilobytes, written with each batch that adds to it."""


class Entry(NamedTuple):
    """A timer comes up: when (event time, ms), whose, and which (`scenario/timer`)."""

    time: int
    user_id: str
    timer: str


class TimerStates(Struct, array_like=True, forbid_unknown_fields=True):
    """The timers of one shopper's row.

    Attributes:
        due: scenario → timer → when it is due, ms.
        entries: `scenario/timer` → the time of its entry; an entry with another time is out of date.
    """

    due: dict[str, dict[str, int]] = {}
    entries: dict[str, int] = {}

    @property
    def is_empty(self) -> bool:
        return not self.entries and not any(self.due.values())


class TimerIndex(Struct, array_like=True, forbid_unknown_fields=True):
    """What a partition knows of its entries.

    Attributes:
        clock: event time, ms, up to which all have come up.
        rows: hour → how many rows its entries lie in.
    """

    clock: int = -1
    rows: dict[int, int] = {}


class EntryRow(NamedTuple):
    """Which row of entries: of which hour, and which of its rows."""

    hour: int
    number: int


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_index_encoder = msgspec.msgpack.Encoder()
_decode_entries = msgspec.msgpack.Decoder(list[Entry]).decode
_read_states = reader(TimerStates)
_read_index = reader(TimerIndex)


def pack_states(states: TimerStates) -> bytes:
    """The bytes of a row's timers; none for a row without any."""
    return b"" if states.is_empty else _encoder.encode(states)


def unpack_states(packed: bytes) -> TimerStates:
    """The inverse of `pack_states`."""
    return _read_states(packed)


def entry_rows(index: bytes) -> list[EntryRow]:
    """The rows that an index's entries lie in."""
    rows = _read_index(index).rows
    return [EntryRow(hour, number) for hour in sorted(rows) for number in range(rows[hour])]


class PendingTimers:
    """The entries of one partition, in the order in which they come up.

    Args:
        index: packed, as it was stored; no bytes where nothing was.
        stored: the rows that `entry_rows` names, packed.
    """

    def __init__(self, index: bytes = b"", stored: Mapping[EntryRow, bytes] | None = None) -> None:
        self._index = _read_index(index)
        self._rows = {place: _decode_entries(packed) for place, packed in (stored or {}).items() if packed}
        self._heap = [entry for row in self._rows.values() for entry in row if entry.time > self._index.clock]
        heapify(self._heap)
        self._stored = set(self._rows)
        self._changed: set[EntryRow] = set()

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def clock(self) -> int:
        """Event time, ms, up to which all entries have come up."""
        return self._index.clock

    @property
    def first(self) -> int | None:
        """When the next entry comes up, ms."""
        return self._heap[0].time if self._heap else None

    def add(self, entry: Entry) -> None:
        """Add an entry, which comes up later than `clock`."""
        heappush(self._heap, entry)
        hour = entry.time // _BUCKET_MS
        count = self._index.rows.get(hour, 0)
        place = EntryRow(hour, max(count - 1, 0))
        if count == 0 or len(self._rows[place]) >= _ENTRIES:
            place = EntryRow(hour, count)
            self._rows[place] = []
            self._index.rows[hour] = count + 1
        self._rows[place].append(entry)
        self._changed.add(place)

    def advance(self, clock: int) -> None:
        """Let time pass; it never goes back."""
        self._index.clock = max(self._index.clock, clock)

    def pop(self) -> Entry | None:
        """The next entry that has come up, which is gone with that; None where there is no more."""
        return heappop(self._heap) if self._heap and self._heap[0].time <= self._index.clock else None

    def users_until(self, time: int) -> Iterator[str]:
        """Whose entries come up by then: a walk of the heap that visits these and little else."""
        stack = [0]
        while stack:
            at = stack.pop()
            if at < len(self._heap) and self._heap[at].time <= time:
                yield self._heap[at].user_id
                stack += (2 * at + 1, 2 * at + 2)

    def changes(self) -> tuple[bytes, list[tuple[EntryRow, bytes]], Sequence[EntryRow]]:
        """What is to be written: the index, the rows of entries that have changed, and those that are to go."""
        passed = [hour for hour in self._index.rows if (hour + 1) * _BUCKET_MS <= self._index.clock]
        gone = {EntryRow(hour, number) for hour in passed for number in range(self._index.rows.pop(hour))}
        for place in gone:
            del self._rows[place]
        changed = [(place, _encoder.encode(self._rows[place])) for place in sorted(self._changed - gone)]
        dropped = sorted(gone & self._stored)
        self._stored = (self._stored | self._changed) - gone
        self._changed = set()
        # msgspec orders text keys only.
        index = TimerIndex(self._index.clock, dict(sorted(self._index.rows.items())))
        return _index_encoder.encode(index), changed, dropped
