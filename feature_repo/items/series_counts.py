"""What a series counts of one key: the packed row, and the fold that updates it. Pure, and commutative (rule 6)."""

from operator import add
from typing import Final

import msgspec
from msgspec import Struct

from feature_repo.basics.schema import reader
from feature_repo.basics.windows import Windows, number_at
from feature_repo.items.item import in_order
from feature_repo.items.scopes import SHARDS
from headrace.errors import ScenarioError
from headrace.messages.internal import SeriesUpdate
from headrace.scenarios.series import Counts, Series


class SeriesCounts(Struct, array_like=True, forbid_unknown_fields=True):
    """The counts of a key. Times are event time in ms, windows numbers.

    Attributes:
        version: of the series.
        total: by column, what came too late for any decision included.
        newest, newest_window: the newest event time, and the window that it lies in.
        windows: what was counted on time, by window. A window stays until it is evaluated, however far one source runs
            ahead of another, and a history after that.
        late: what came too late, by window; as many windows behind the newest as the history has.
        shards: of a scope: `windows` by shard of its items, one shard's columns after the other's.
        state: what the scenario remembers of the key, packed.
    """

    version: int = 1
    total: Counts = ()
    newest: int = 0
    newest_window: int = -1
    windows: dict[int, Counts] = {}
    late: dict[int, Counts] = {}
    shards: dict[int, list[int]] = {}
    state: bytes = b""


_encoder: Final = msgspec.msgpack.Encoder()
_read = reader(SeriesCounts)


def pack(counts: SeriesCounts) -> bytes:
    """The row's bytes: equal states give equal bytes."""
    # msgspec orders text keys only.
    counts.windows, counts.late = in_order(counts.windows), in_order(counts.late)
    counts.shards = in_order(counts.shards)
    return _encoder.encode(counts)


def unpack(packed: bytes, series: Series) -> SeriesCounts:
    """The inverse of `pack`; no bytes give a key of which nothing is counted.

    Raises:
        ScenarioError: another version of the series wrote them.
    """
    if not packed:
        return SeriesCounts(version=series.version)
    counts = _read(packed)
    if counts.version != series.version:
        raise ScenarioError(
            f"rows hold series {series.name} in version {counts.version}, and its scenario has version "
            f"{series.version}: count the stream into a group of another name with `headrace rebuild`, or bring the "
            "other version back"
        )
    return counts


def fold(counts: SeriesCounts, update: SeriesUpdate, windows: Windows, *, history: int, closed: int) -> bool:
    """Fold one update, in place; the order of updates leaves no trace.

    Args:
        history: windows behind the newest in which late updates are told apart.
        closed: windows below are closed.

    Returns:
        whether it was on time, so that its window will be due.
    """
    window = number_at(update.timestamp, windows)
    counts.total = _plus(counts.total, update.counts)
    _advance(counts, update.timestamp, window, history)
    # A source that was idle may send on-time updates of a window that closed without it: late for us.
    if update.late or window < closed:
        if window > counts.newest_window - history:
            counts.late[window] = _plus(counts.late.get(window, ()), update.counts)
        return False
    counts.windows[window] = _plus(counts.windows.get(window, ()), update.counts)
    if update.shard >= 0:
        columns = len(update.counts)
        by_shard = counts.shards.setdefault(window, [0] * SHARDS * columns)
        for column, number in enumerate(update.counts):
            by_shard[update.shard * columns + column] += number
    return True


def drop_before(counts: SeriesCounts, window: int) -> None:
    """Drop what was counted on time in older windows than `window`."""
    if counts.windows and min(counts.windows) < window:
        counts.windows = {number: of for number, of in counts.windows.items() if number >= window}
        counts.shards = {number: of for number, of in counts.shards.items() if number >= window}


def as_features(counts: SeriesCounts, series: Series) -> dict[str, object]:
    """The row by names, for people and dumps: what the stream alone decides, late events included."""
    oldest = counts.newest_window - series.history + 1
    numbers = sorted(number for number in counts.windows.keys() | counts.late.keys() if number >= oldest)
    return {
        "newest": counts.newest,
        "total": dict(zip(series.columns, counts.total, strict=True)),
        "windows": {
            str(number): dict(
                zip(
                    series.columns,
                    _plus(counts.windows.get(number, ()), counts.late.get(number, ())),
                    strict=True,
                )
            )
            for number in numbers
        },
    }


def _advance(counts: SeriesCounts, timestamp: int, window: int, history: int) -> None:
    counts.newest = max(counts.newest, timestamp)
    if window > counts.newest_window:
        counts.newest_window = window
        counts.late = {number: of for number, of in counts.late.items() if number > window - history}


def _plus(counts: Counts, more: Counts) -> Counts:
    return tuple(map(add, counts, more)) if counts and more else counts or more
