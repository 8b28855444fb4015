"""Demand of a recorded stream as series: units of each item in each window, zeros included."""

from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from streams.errors import TooLittleData
from streams.messages.events import EventType
from streams.messages.wire import DEMAND_HISTORY, DEMAND_HORIZON, Floats, Ints
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
        units: [items, windows]
        first: start of the first of these windows, ms.
    """

    units: Floats
    first: int
    window_ms: int

    @property
    def targets(self) -> range:
        """Windows that can be a first forecast window."""
        return range(DEMAND_HISTORY, self.units.shape[1] - DEMAND_HORIZON + 1)


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
        TooLittleData: it holds no purchases, or of too short a time.
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


def sample(series: DemandSeries, targets: range, n: int, random: np.random.Generator) -> Samples:
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
    span = np.arange(-DEMAND_HISTORY, DEMAND_HORIZON)
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
    if not numbers or max(numbers) - min(numbers) < 2 * DEMAND_HORIZON:
        raise TooLittleData(
            "The stream is too short to learn demand from: it needs purchases in more than "
            f"{2 * DEMAND_HORIZON} windows of {window_ms // 1000} s (HEADRACE_WINDOW)."
        )
    begin = min(numbers) - DEMAND_HISTORY
    rows = {item: row for row, item in enumerate(sorted({item for item, _ in counts}))}
    units = np.zeros((len(rows), max(numbers) + 1 - begin), np.float32)
    for (item, number), count in counts.items():
        units[rows[item], number - begin] = count
    return DemandSeries(units, begin * window_ms, window_ms)
