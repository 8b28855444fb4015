"""What the model is asked when windows close."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from feature_repo.basics import money
from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.items.item import ItemActivity, price_before
from feature_repo.items.scopes import CategoriesOf, is_scope, item_of
from feature_repo.items.window_index import ClosedWindow
from headrace.arrays import DEMAND_HISTORY, DEMAND_SPAN, DemandTensors, Floats
from streams.scenarios.demand.forecasting.cached import CachedForecasts, unpack

_BACK: Final = DEMAND_SPAN - 1
_REACH: Final = DEMAND_HISTORY + DEMAND_SPAN
"""Windows up to the closed one that its three histories cover."""


ForecastKey = tuple[str, int]
"""What is asked: an item, and the start of the first window forecast, ms."""


class DemandQueries(NamedTuple):
    """One request for all judged closed windows of a batch.

    A closed window of window w needs three forecasts: from before w, how anomalous w is; from before w - 3, how
    anomalous the last four windows are together, which finds drops that no single window shows; from after w, the
    forecast. Of an item that is judged window after window the first two were made at earlier closed windows.

    Attributes:
        tensors: None when no closed window is judged.
        rows: what is asked → row of the tensors, in their order.
        cached: of each judged item, what is kept of earlier forecasts.
    """

    tensors: DemandTensors | None
    rows: dict[ForecastKey, int]
    cached: dict[str, CachedForecasts]


def queries(
    closed_windows: Sequence[ClosedWindow],
    activities: Mapping[str, ItemActivity],
    categories_of: CategoriesOf,
    window_ms: int,
    cached: Mapping[str, bytes],
) -> DemandQueries:
    """Ask what is not kept for every judged closed window. Must run before any of them is evaluated.

    Args:
        activities: the row of each closed window's item, all item updates of the closed windows folded.
        categories_of: the categories of an item, the narrowest last.
        cached: what `evaluate_windows` kept of items' forecasts by the version that is asked.
    """
    judged = [closed for closed in closed_windows if closed.judged]
    names = {item_id: _names(item_id, categories_of) for item_id in dict.fromkeys(closed.item_id for closed in judged)}
    forecasts = {item_id: unpack(cached.get(item_id), category) for item_id, (_, category) in names.items()}
    rows: dict[ForecastKey, int] = {}
    histories: list[tuple[int, int]] = []
    prices: list[float] = []
    for at, closed in enumerate(judged):
        number = closed.window_start // window_ms
        for first in _not_cached(closed, forecasts[closed.item_id], window_ms):
            key = (closed.item_id, first * window_ms)
            if key not in rows:
                rows[key] = len(histories)
                histories.append((at, first - (number - _BACK)))
                prices.append(money.units(price_before(activities[closed.item_id], first)))
    if not rows:
        return DemandQueries(None, rows, forecasts)
    of, begin = np.array(histories).T
    units = sliding_window_view(_reach(judged, activities, window_ms), DEMAND_HISTORY, axis=1)[of, begin]
    return DemandQueries(_tensors(rows, names, units, prices, window_ms), rows, forecasts)


def _not_cached(closed: ClosedWindow, cached: CachedForecasts, window_ms: int) -> Iterator[int]:
    """First windows, by number, of the forecasts that a closed window needs and that are to be made."""
    number = closed.window_start // window_ms
    if (number - _BACK) * window_ms not in cached.span:
        yield number - _BACK
    if closed.window_start not in cached.one:
        yield number
    yield number + 1


def _tensors(
    rows: Mapping[ForecastKey, int],
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


def _reach(judged: Sequence[ClosedWindow], activities: Mapping[str, ItemActivity], window_ms: int) -> Floats:
    """Units sold on time in the windows up to each closed window's, newest last. [n, R]"""
    sold = [activities[closed.item_id].sold for closed in judged]
    oldest = np.array([closed.window_start // window_ms + 1 - _REACH for closed in judged])
    row = np.repeat(np.arange(len(sold)), [len(windows) for windows in sold])
    at = np.fromiter(chain.from_iterable(sold), np.int64, len(row)) - oldest[row]
    count = np.fromiter(chain.from_iterable(windows.values() for windows in sold), np.float32, len(row))
    inside = (at >= 0) & (at < _REACH)
    units = np.zeros((len(sold), _REACH), np.float32)
    units[row[inside], at[inside]] = count[inside]
    return units
