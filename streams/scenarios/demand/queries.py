"""What the model is asked when windows close."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np

from feature_repo.demand_index import Closing
from feature_repo.item import ItemActivity
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


def queries(closings: Sequence[Closing], activities: Mapping[str, ItemActivity], window_ms: int) -> DemandQueries:
    """Ask for every judged closing. Must run before any of them is concluded.

    Args:
        activities: the row of each closing's item, all deltas of the closed windows folded.
    """
    rows: dict[tuple[str, int], int] = {}
    units: list[Floats] = []
    for closing in closings:
        if not closing.judged:
            continue
        number = closing.window_start // window_ms
        reach = _units(activities[closing.item_id], number + 1 - _REACH, _REACH)
        for first in (number - _BACK, number, number + 1):
            key = (closing.item_id, first * window_ms)
            if key not in rows:
                rows[key] = len(units)
                begin = first - (number + 1 - _REACH) - DEMAND_HISTORY
                units.append(reach[begin : begin + DEMAND_HISTORY])
    if not rows:
        return DemandQueries(None, rows)
    starts = np.fromiter((start for _, start in rows), np.int64, len(rows))
    return DemandQueries(DemandTensors(np.stack(units), starts, np.array([window_ms], np.int64)), rows)


def _units(activity: ItemActivity, first: int, n: int) -> Floats:
    """Units of the `n` windows from number `first`."""
    sold = activity.sold
    units = np.zeros(n, np.float32)
    at = np.fromiter(sold.keys(), np.int64, len(sold)) - first
    count = np.fromiter(sold.values(), np.float32, len(sold))
    inside = (at >= 0) & (at < n)
    units[at[inside]] = count[inside]
    return units
