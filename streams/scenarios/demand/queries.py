"""What the model is asked when windows close."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from feature_repo.demand_index import Closing
from feature_repo.identity import NO_ITEM, item_hash
from feature_repo.item import ItemActivity, price_before
from feature_repo.scopes import CategoriesOf, is_scope
from streams.messages.wire import DEMAND_HISTORY, DEMAND_SPAN, DemandTensors, Floats

_BACK: Final = DEMAND_SPAN - 1
_REACH: Final = DEMAND_HISTORY + DEMAND_SPAN
"""Windows up to the closing one that its three histories cover."""


class DemandQueries(NamedTuple):
    """One request for all judged closings of a chunk.

    A closing of window w asks three times: from before w, how surprising w is; from before w - 3, how surprising
    the last four windows are together, which finds drops that no single window shows; from after w, the forecast.

    Attributes:
        tensors: None when no closing is judged.
        rows: (item, first window's start) → row of the tensors.
    """

    tensors: DemandTensors | None
    rows: dict[tuple[str, int], int]


def units_before(activity: ItemActivity, window_start: int, window_ms: int) -> Floats:
    """Units sold on time in the H windows before `window_start`, newest last. [H]"""
    return _units(activity, window_start // window_ms - DEMAND_HISTORY, DEMAND_HISTORY)


def queries(
    closings: Sequence[Closing], activities: Mapping[str, ItemActivity], categories_of: CategoriesOf, window_ms: int
) -> DemandQueries:
    """Ask for every judged closing. Must run before any of them is concluded.

    Args:
        activities: the row of each closing's item, all deltas of the closed windows folded.
        categories_of: the categories of an item, the narrowest last.
    """
    rows: dict[tuple[str, int], int] = {}
    units: list[Floats] = []
    prices: list[float] = []
    for closing in closings:
        if not closing.judged:
            continue
        number = closing.window_start // window_ms
        activity = activities[closing.item_id]
        reach = _units(activity, number + 1 - _REACH, _REACH)
        for first in (number - _BACK, number, number + 1):
            key = (closing.item_id, first * window_ms)
            if key not in rows:
                rows[key] = len(units)
                begin = first - (number + 1 - _REACH) - DEMAND_HISTORY
                units.append(reach[begin : begin + DEMAND_HISTORY])
                prices.append(max(price_before(activity, first), 0) / 100)
    if not rows:
        return DemandQueries(None, rows)
    starts = np.fromiter((start for _, start in rows), np.int64, len(rows))
    names = {item_id: _names(item_id, categories_of) for item_id in dict.fromkeys(item_id for item_id, _ in rows)}
    item, category = np.ascontiguousarray(np.array([names[item_id] for item_id, _ in rows], np.int64).T)
    tensors = DemandTensors(
        np.stack(units), starts, np.array([window_ms], np.int64), item, category, np.array(prices, np.float32)
    )
    return DemandQueries(tensors, rows)


def _names(key: str, categories_of: CategoriesOf) -> tuple[int, int]:
    """Hashes of an item and its narrowest category."""
    if is_scope(key):
        return NO_ITEM, NO_ITEM
    categories = categories_of(key)
    return item_hash(key), item_hash(categories[-1]) if categories else NO_ITEM


def _units(activity: ItemActivity, first: int, n: int) -> Floats:
    """Units of the `n` windows from number `first`."""
    sold = activity.sold
    units = np.zeros(n, np.float32)
    at = np.fromiter(sold.keys(), np.int64, len(sold)) - first
    count = np.fromiter(sold.values(), np.float32, len(sold))
    inside = (at >= 0) & (at < n)
    units[at[inside]] = count[inside]
    return units
