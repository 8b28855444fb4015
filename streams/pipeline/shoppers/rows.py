"""Rows of the shopper pipeline in memory: what the store held, and what batches make of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from feature_repo.basics.fences import Fence, SeenIds
from feature_repo.shoppers import shopper, watermark
from feature_repo.shoppers.scenario_states import ScenarioStateCodec, ScenarioStates
from feature_repo.shoppers.timers import EntryRow, PendingTimers, TimerStates, entry_rows
from feature_repo.store.row_store import Kind, RowStore, RowWrite, SerialisedRows, StoredRow
from streams.kafka.transport import Batch
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.rows.continuity import Continuity
from streams.pipeline.rows.keys import source_key, timers_key

_CACHED_ROWS: Final = 8_192
"""Shoppers whose rows stay in memory, some ten kilobytes each: those who are in the shop now."""
_GOES_AFTER_MS: Final = 3_600_000
"""A row of timers that have all come up: a worker that is behind may still read it."""


class ShopperRow:
    """A shopper's row while records are folded into it."""

    __slots__ = ("_codec", "_expected", "_states", "fence", "newest", "seen", "shopper", "user_id")

    def __init__(self, user_id: str, stored: StoredRow, codec: ScenarioStateCodec | None = None) -> None:
        self.user_id = user_id
        self._expected = stored.fence
        self.fence = Fence(stored.fence)
        self.seen = SeenIds(stored.seen)
        self.shopper = shopper.unpack(stored.states[0])
        self._codec = codec or ScenarioStateCodec()
        self._states: ScenarioStates = self._codec.unpack(stored.states[1])
        self.newest = -1
        """Event time of the newest event folded since the last write, ms; -1 while nothing was."""

    @property
    def views(self) -> dict[str, Any]:
        """States of the scenarios' own views, by name."""
        return self._states.views

    @property
    def timers(self) -> TimerStates:
        """What the scenarios' folds have asked to be woken for."""
        return self._states.timers

    def touch(self) -> None:
        """Note that the row has changed, though no event was folded."""
        self.newest = max(self.newest, 0)

    def to_write(self) -> RowWrite:
        """The row as it is to be written; from now on it counts as written."""
        expected, self._expected = self._expected, self.fence.pack()
        newest, self.newest = self.newest, -1
        return RowWrite(
            kind=Kind.USER,
            key=self.user_id,
            expected=expected,
            fence=self._expected,
            seen=self.seen.pack(),
            states=(shopper.pack(self.shopper), self._codec.pack(self._states) or None),
            timestamp=max(newest, *self.shopper.last, 0),
        )


class SourceRow:
    """The bookkeeping of one `events` partition: its watermark, how far it is folded, and its shoppers' timers.

    Args:
        timer_rows: the rows that `stored` says its timers lie in.
    """

    def __init__(
        self, partition: int, stored: StoredRow, timer_rows: Mapping[EntryRow, StoredRow] | None = None
    ) -> None:
        self.partition = partition
        self.key = source_key(partition)
        self._expected = stored.fence
        self.fence = Fence(stored.fence)
        self.mark = watermark.unpack(stored.states[0])
        timer_rows = timer_rows or {}
        self.timers = PendingTimers(stored.states[1], {place: row.states[0] for place, row in timer_rows.items()})
        self._timer_fences = {place: row.fence for place, row in timer_rows.items()}
        self._has_index = bool(stored.states[1])

    def to_writes(self) -> Iterator[RowWrite]:
        """The rows as they are to be written; from now on they count as written."""
        expected, self._expected = self._expected, self.fence.pack()
        index = None
        if self._has_index or len(self.timers):
            self._has_index = True
            index, changed, dropped = self.timers.changes()
            for place, packed in changed:
                yield self._timer_write(place, packed)
            for place in dropped:
                yield self._timer_write(place, b"", _GOES_AFTER_MS)
                del self._timer_fences[place]
        states = watermark.pack(self.mark), index
        yield RowWrite(Kind.SHARD, self.key, expected, self._expected, b"", states, max(self.mark.newest, 0))

    def _timer_write(self, place: EntryRow, packed: bytes, lasts: int = 0) -> RowWrite:
        expected = self._timer_fences.get(place, b"")
        self._timer_fences[place] = self._expected
        key = timers_key(self.partition, *place)
        return RowWrite(Kind.SHARD, key, expected, self._expected, b"", (packed, None), 0, lasts)


class ShopperRows:
    """Reads rows before they are folded into, keeps those in memory that come again, and writes what has changed.

    Args:
        in_flight: most shoppers that batches under way may have changed and not written: their rows must stay.
    """

    def __init__(self, store: RowStore, continuity: Continuity, codec: ScenarioStateCodec, in_flight: int) -> None:
        self._store = store
        self._continuity = continuity
        self._codec = codec
        self._cache: RowCache[ShopperRow] = RowCache(max(_CACHED_ROWS, in_flight))
        self.sources: dict[int, SourceRow] = {}
        """Of the partitions read since the last rebalance."""

    def invalidate(self) -> None:
        """Drop what is kept of rows: a batch failed half way, or another worker may write them."""
        self._cache.clear()
        self.sources.clear()

    async def read_sources(self, partitions: Iterable[int]) -> None:
        """Read the rows of partitions that are not in memory.

        Raises:
            RowsLost: one is older than what the group has noted as folded.
        """
        missing = [partition for partition in partitions if partition not in self.sources]
        if not missing:
            return
        stored = await self._store.read(Kind.SHARD, list(map(source_key, missing)))
        for partition, row in zip(missing, stored, strict=True):
            at = entry_rows(row.states[1])
            timer_rows = await self._store.read(Kind.SHARD, [timers_key(partition, *place) for place in at])
            source = SourceRow(partition, row, dict(zip(at, timer_rows, strict=True)))
            self._continuity.verify(source.key, source.fence)
            self.sources[partition] = source

    async def read(self, users: Iterable[str]) -> dict[str, ShopperRow]:
        """The rows of shoppers, from memory where they are there."""
        users = dict.fromkeys(users)
        rows = self._cache.take(users)
        self._cache.put(rows)  # whoever only asks leaves them there: they may not be written yet
        missing = [user for user in users if user not in rows]
        stored = await self._store.read(Kind.USER, missing)
        return rows | {user: ShopperRow(user, row, self._codec) for user, row in zip(missing, stored, strict=True)}

    def serialise(
        self, rows: Mapping[str, ShopperRow], owned: Iterable[str], partitions: Sequence[int]
    ) -> SerialisedRows:
        """What is to be written; from here on the rows in memory are what the next batch folds into.

        Args:
            owned: shoppers whose rows are this worker's; others were read for score requests alone.
            partitions: whose records were folded.
        """
        self._cache.put({user: rows[user] for user in owned})
        return self._store.serialise(self._writes(rows.values(), partitions))

    def _writes(self, rows: Iterable[ShopperRow], partitions: Sequence[int]) -> Iterator[RowWrite]:
        for row in rows:
            if row.newest >= 0:
                yield row.to_write()
        for partition in partitions:
            yield from self.sources[partition].to_writes()

    async def write(self, serialised: SerialisedRows, batch: Batch) -> None:
        """Write what a batch has changed, all or none.

        Raises:
            FencedOut: another worker wrote one of the rows.
            StoreError: the store is out of reach.
        """
        await self._store.write_serialised([serialised])
        for part in batch.parts:
            self._continuity.mark_written(part.topic, part.partition, part.last_offset)
