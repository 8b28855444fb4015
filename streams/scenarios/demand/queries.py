"""What the model is asked when windows close."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from feature_repo import money
from feature_repo.demand_index import Closing
from feature_repo.identity import NO_ITEM, item_hash
from feature_repo.item import ItemActivity, price_before
from feature_repo.scopes import CategoriesOf, is_scope, item_of
from streams.messages.wire import DEMAND_HISTORY, DEMAND_SPAN, DemandTensors, Floats
from streams.scenarios.demand.kept import Believed, unpack

_BACK: Final = DEMAND_SPAN - 1
_REACH: Final = DEMAND_HISTORY + DEMAND_SPAN
"""Windows up to the closing one that its three histories cover."""


Asked = tuple[str, int]
"""What is asked: an item, and the start of the first window forecast, ms."""


class DemandQueries(NamedTuple):
    """One request for all judged closings of a chunk.

    A closing of window w needs three forecasts: from before w, how surprising w is; from before w - 3, how surprising
    the last four windows are together, which finds drops that no single window shows; from after w, the forecast. Of an
    item that is judged window after window the first two were made at earlier closings.

    Attributes:
        tensors: None when no closing is judged.
        rows: what is asked → row of the tensors, in their order.
        believed: of each judged item, what is kept of earlier forecasts.
    """

    tensors: DemandTensors | None
    rows: dict[Asked, int]
    believed: dict[str, Believed]


def queries(
    closings: Sequence[Closing],
    activities: Mapping[str, ItemActivity],
    categories_of: CategoriesOf,
    window_ms: int,
    kept: Mapping[str, bytes],
) -> DemandQueries:
    """Ask what is not kept for every judged closing. Must run before any of them is concluded.

    Args:
        activities: the row of each closing's item, all deltas of the closed windows folded.
        categories_of: the categories of an item, the narrowest last.
        kept: what `conclude` kept of items' forecasts by the version that is asked.
    """
    judged = [closing for closing in closings if closing.judged]
    names = {
        item_id: _names(item_id, categories_of) for item_id in dict.fromkeys(closing.item_id for closing in judged)
    }
    believed = {item_id: unpack(kept.get(item_id), category) for item_id, (_, category) in names.items()}
    rows: dict[Asked, int] = {}
    histories: list[tuple[int, int]] = []
    prices: list[float] = []
    for at, closing in enumerate(judged):
        number = closing.window_start // window_ms
        for first in _not_kept(closing, believed[closing.item_id], window_ms):
            key = (closing.item_id, first * window_ms)
            if key not in rows:
                rows[key] = len(histories)
                histories.append((at, first - (number - _BACK)))
                prices.append(money.units(price_before(activities[closing.item_id], first)))
    if not rows:
        return DemandQueries(None, rows, believed)
    of, begin = np.array(histories).T
    units = sliding_window_view(_reach(judged, activities, window_ms), DEMAND_HISTORY, axis=1)[of, begin]
    return DemandQueries(_tensors(rows, names, units, prices, window_ms), rows, believed)


def _not_kept(closing: Closing, believed: Believed, window_ms: int) -> Iterator[int]:
    """First windows, by number, of the forecasts that a closing needs and that are to be made."""
    number = closing.window_start // window_ms
    if (number - _BACK) * window_ms not in believed.span:
        yield number - _BACK
    if closing.window_start not in believed.one:
        yield number
    yield number + 1


def _tensors(
    rows: Mapping[Asked, int],
    names: Mapping[str, tuple[int, int]],
    units: Floats,
    prices: Sequence[float],
    window_ms: int,
) -> DemandTensors:
    starts = np.fromiter((start for _, start in rows), np.int64, len(rows))
    item, category = np.ascontiguousarray(np.array([names[item_id] for item_id, _ in rows], np.int64).T)
    return DemandTensors(units, starts, np.array([window_ms], np.int64), item, category, np.array(prices, np.float32))


def _names(key: str, categories_of: CategoriesOf) -> tuple[int, int]:
    """Hashes of an item and its narrowest category."""
    if is_scope(key):
        return NO_ITEM, NO_ITEM
    categories = categories_of(key)
    return item_hash(item_of(key)), item_hash(categories[-1]) if categories else NO_ITEM


def _reach(judged: Sequence[Closing], activities: Mapping[str, ItemActivity], window_ms: int) -> Floats:
    """Units sold on time in the windows up to each closing's, newest last. [n, R]"""
    sold = [activities[closing.item_id].sold for closing in judged]
    oldest = np.array([closing.window_start // window_ms + 1 - _REACH for closing in judged])
    row = np.repeat(np.arange(len(sold)), [len(windows) for windows in sold])
    at = np.fromiter(chain.from_iterable(sold), np.int64, len(row)) - oldest[row]
    count = np.fromiter(chain.from_iterable(windows.values() for windows in sold), np.float32, len(row))
    inside = (at >= 0) & (at < _REACH)
    units = np.zeros((len(sold), _REACH), np.float32)
    units[row[inside], at[inside]] = count[inside]
    return units
