"""Demand of a recorded stream as series: units of each item in each window, zeros included."""

from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from streams.errors import TooLittleData
from streams.messages.events import EventType
from streams.messages.wire import DEMAND_HISTORY, Floats, Ints
from streams.recordings.reading import read_recording
from streams.topics import Topic


class _Sale(Struct):
    type: str
    timestamp: int
    item_id: str | None = None
    quantity: int = 1


class DemandSeries(NamedTuple):
    """Units sold. Every series begins with H windows of zeros, as a row online does.

    Attributes:
        item_ids: of the rows, in order.
        units: [items, windows]
        first: start of the first of these windows, ms.
    """

    item_ids: list[str]
    units: Floats
    first: int
    window_ms: int

    def targets(self, horizon: int) -> range:
        """Columns that can be a first forecast window."""
        return range(DEMAND_HISTORY, self.units.shape[1] - horizon + 1)

    def before(self, column: int) -> "DemandSeries":
        """What was known when the window before `column` had closed: items without a sale until then are unknown."""
        known = np.flatnonzero(self.units[:, :column].any(1))
        return self._replace(item_ids=[self.item_ids[i] for i in known], units=self.units[known, :column])


class Samples(NamedTuple):
    """Histories and what came after them."""

    units: Floats  # [n, H]
    window_start: Ints  # [n]
    target: Floats  # [n, Z]

    def pick(self, rows: NDArray[np.int64]) -> "Samples":
        """Some of them."""
        return Samples(self.units[rows], self.window_start[rows], self.target[rows])


_LATELY: Final = 24
_REPEATS: Final = 4
"""Draws from a small pool: so often a history may come again."""
_decoder: Final = msgspec.json.Decoder(_Sale)


def read_series(stream: Path, window_ms: int) -> DemandSeries:
    """Count the purchases of a recorded stream.

    Raises:
        TooLittleData: it holds no purchases.
        UsageError: the file is no recorded stream.
    """
    counts: dict[tuple[str, int], int] = {}
    for record in read_recording(stream):
        if record.topic != Topic.EVENTS or not record.value or b'"purchase"' not in record.value:
            continue
        try:
            sale = _decoder.decode(record.value)
        except msgspec.DecodeError:
            continue  # a bad event has no place in a window; online it is a dead letter
        if sale.type == EventType.PURCHASE and sale.item_id is not None:
            key = (sale.item_id, sale.timestamp // window_ms)
            counts[key] = counts.get(key, 0) + sale.quantity
    return _dense(counts, window_ms)


def sample(series: DemandSeries, targets: range, horizon: int, n: int, random: np.random.Generator) -> Samples:
    """Draw about `n` histories whose first forecast window lies in `targets`.

    A third of them from items that sell in most windows, a third from those with a sale in the last day of windows:
    there most forecasts are asked. The choice looks at the history alone, so that what follows is not biased.
    """
    sold = np.concatenate([np.zeros((len(series.units), 1)), (series.units > 0).cumsum(1)], 1)
    columns = np.arange(targets.start, targets.stop)
    lately = sold[:, columns] - sold[:, columns - _LATELY]
    pools = (lately >= _LATELY // 2, lately > 0, sold[:, columns] > 0)
    picks = np.concatenate([_draw(pool, n // len(pools), random) for pool in pools])
    item, column = picks[:, 0], columns[picks[:, 1]]
    span = np.arange(-DEMAND_HISTORY, horizon)
    cut = series.units[item[:, None], column[:, None] + span]
    start = series.first + column.astype(np.int64) * series.window_ms
    return Samples(cut[:, :DEMAND_HISTORY], start, cut[:, DEMAND_HISTORY:])


def _draw(eligible: NDArray[np.bool_], n: int, random: np.random.Generator) -> NDArray[np.int64]:
    where = np.argwhere(eligible)
    if not len(where):
        return where
    return where[random.integers(0, len(where), min(n, _REPEATS * len(where)))]


def _dense(counts: dict[tuple[str, int], int], window_ms: int) -> DemandSeries:
    numbers = [number for _, number in counts]
    if not numbers:
        raise TooLittleData("The stream holds no purchases to learn demand from.")
    begin = min(numbers) - DEMAND_HISTORY
    item_ids = sorted({item for item, _ in counts})
    rows = {item: row for row, item in enumerate(item_ids)}
    units = np.zeros((len(rows), max(numbers) + 1 - begin), np.float32)
    for (item, number), count in counts.items():
        units[rows[item], number - begin] = count
    return DemandSeries(item_ids, units, begin * window_ms, window_ms)
