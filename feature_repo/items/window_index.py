"""Which windows of which items close when: one packed row for each partition of the item pipeline (rule 9).

Windows that are due are found here, without listing keys: the row holds each source's watermark, the items that sold in
windows still open, and for each item that sold lately a bit for each of the last closed windows. It costs memory for
what sold. Everything is integers, and windows close one after the other in event time, so the closed windows are a
function of the item updates alone, whatever the batches and however the sources interleave.

The exception is time that stands still: a source is idle because its mark did not move for a while, and that is a fact
about the run. Deltas it sends later for windows that closed without it count as late.
"""

from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from feature_repo.basics.schema import reader
from feature_repo.basics.windows import Windows, length_of, number_at
from feature_repo.items.item import units_sold
from headrace.messages.internal import ItemUpdate, Watermark

REMEMBERED: Final = 48
"""Closed windows of which an item's sales are remembered as bits."""
WATCHED: Final = 12
"""An item that sold in so many of them is judged in windows without a sale too: a zero there may be news."""
EPISODE_WINDOWS: Final = 2
"""Windows after a sale in which an open episode is looked at, so that a spike of a slow item gets its end."""

_BITS: Final = (1 << REMEMBERED) - 1
_SOLD_LATELY: Final = (1 << (EPISODE_WINDOWS + 1)) - 1


class SourceMark(Struct, array_like=True, forbid_unknown_fields=True):
    """How far the event time of one `events` partition has come, ms."""

    time: int = -1
    idle: bool = False


class WindowIndex(Struct, array_like=True, forbid_unknown_fields=True):
    """The state of one partition's windows; a window is its number (`windows`)."""

    sources: dict[int, SourceMark] = {}
    closed: int = 0  # windows below are closed
    pending: dict[int, set[str]] = {}  # open window → items sold in it on time
    recent: dict[str, int] = {}  # item → bit i: it sold in window closed - 1 - i
    score_counts: list[int] = []  # judged windows by how anomalous they were; what alerts are calibrated by
    apart: bool = False  # most of `pending` and `recent` is stored by itself


class ClosedWindow(NamedTuple):
    """A window of an item that is complete.

    Attributes:
        window_start: its number times the length of a window.
        judged: forecast it and look for alerts; else only an open episode is brought to its end.
        last: without a sale the item is not looked at again; an open episode ends here.
        regular: the item sold in so many of the last windows that empty ones are closed too.
        watched: items that sold lately; most windows of most of them are empty and need no look.
    """

    item_id: str
    window_start: int
    judged: bool
    last: bool
    regular: bool
    watched: int


_encoder = msgspec.msgpack.Encoder()
_read = reader(WindowIndex)


def pack(index: WindowIndex) -> bytes:
    """The row's bytes: equal states give equal bytes."""
    # msgspec orders text keys only.
    in_order = {
        "sources": dict(sorted(index.sources.items())),
        "pending": {window: sorted(items) for window, items in sorted(index.pending.items())},
        "recent": dict(sorted(index.recent.items())),
    }
    return _encoder.encode(msgspec.structs.replace(index, **in_order))


def unpack(packed: bytes) -> WindowIndex:
    """The inverse of `pack`; no bytes give an index that has seen nothing."""
    return _read(packed)


def merge(marks: WindowIndex, bulk: WindowIndex) -> WindowIndex:
    """Both parts of an index that is stored in two: what changes with every batch, and most of its items."""
    if not marks.apart:
        return marks
    marks.apart = False
    for window, items in bulk.pending.items():
        marks.pending.setdefault(window, set()).update(items)
    marks.recent |= bulk.recent
    return marks


def observe(index: WindowIndex, source: int, update: ItemUpdate, windows: Windows) -> int | None:
    """Note an item update: which window of which item will be due, and that its source is not idle.

    Returns:
        the number of the window if the item sold in it for the first time, else None.
    """
    mark_active(index, source)
    window = number_at(update.timestamp, windows)
    if not units_sold(update) or update.late or window < index.closed:
        return None
    return window if observe_key(index, update.item_id, window) else None


def observe_key(index: WindowIndex, key: str, window: int) -> bool:
    """Note that a key counted something in an open window; whether that is the first time."""
    counted = index.pending.setdefault(window, set())
    if key in counted:
        return False
    counted.add(key)
    return True


def mark_active(index: WindowIndex, source: int) -> None:
    """Note that a source has something to say: it is not idle."""
    mark = index.sources.get(source)
    if mark is not None:
        mark.idle = False


def advance(
    index: WindowIndex, source: int, watermark: Watermark, *, sources: int, windows: Windows, lateness_ms: int
) -> list[ClosedWindow]:
    """Take a source's watermark and close the windows that are now complete, oldest first, items in order of id.

    Args:
        sources: partitions of `events`; one that has not spoken yet holds every window open.
    """
    if not note_watermark(index, source, watermark, sources):
        return []
    return close(index, number_at(low(index) - lateness_ms, windows), windows)


def note_watermark(index: WindowIndex, source: int, watermark: Watermark, sources: int) -> bool:
    """Take a source's watermark; whether all sources have spoken, so that windows may close."""
    mark = index.sources.setdefault(source, SourceMark())
    mark.time = max(mark.time, watermark.time)
    mark.idle = watermark.idle
    return len(index.sources) >= sources


def close(index: WindowIndex, until: int, windows: Windows) -> list[ClosedWindow]:
    """Close the windows below number `until`, oldest first, keys in order."""
    return _close(index, until, length_of(windows))


def low(index: WindowIndex) -> int:
    """The time that all sources have passed; when all are idle, the time that one of them has."""
    held = [mark.time for mark in index.sources.values() if not mark.idle]
    return min(held) if held else max(mark.time for mark in index.sources.values())


def _close(index: WindowIndex, until: int, window_ms: int) -> list[ClosedWindow]:
    """Close the windows below number `until`; a stretch in which no item can be due is passed in one step."""
    closed_windows: list[ClosedWindow] = []
    while index.closed < until:
        if not index.recent:
            index.closed = max(index.closed, min(min(index.pending, default=until), until))
            if index.closed == until:
                break
        closed_windows += _close_one(index, window_ms)
    return closed_windows


def _close_one(index: WindowIndex, window_ms: int) -> list[ClosedWindow]:
    sold = index.pending.pop(index.closed, set())
    recent = {item: bits << 1 & _BITS for item, bits in index.recent.items()}
    for item in sold:
        recent[item] = recent.get(item, 0) | 1
    start = index.closed * window_ms
    index.closed += 1
    # In order from one window to the next: what is all but sorted is sorted ten times as fast.
    index.recent = {item: bits for item, bits in sorted(recent.items()) if bits}
    return [
        ClosedWindow(
            item,
            start,
            _judged(bits),
            last=not _due(bits << 1 & _BITS),
            regular=_regular(bits),
            watched=len(index.recent),
        )
        for item, bits in index.recent.items()
        if _due(bits)
    ]


def _judged(bits: int) -> bool:
    return bool(bits & 1) or _regular(bits)


def _regular(bits: int) -> bool:
    return bits.bit_count() >= WATCHED


def _due(bits: int) -> bool:
    return bool(bits & _SOLD_LATELY) or _regular(bits)
