"""Demand of a recorded stream as series: units of each item in each window, zeros included."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.basics.windows import Windows, length_of, number_at
from feature_repo.items.catalogue import item_text
from headrace.arrays import DEMAND_HISTORY, DemandTensors, Floats, Ints
from headrace.errors import BadRecord, TooLittleData
from headrace.messages.decoding import decode_event, decode_item
from headrace.messages.events import Event, EventType
from headrace.messages.items import Item
from headrace.recording.reading import read_recording
from headrace.settings.model import load_settings
from headrace.topics import Topic


class Described(NamedTuple):
    """What the catalogue says of an item.

    Attributes:
        category: the narrowest, empty for none.
        price: 0 for none.
    """

    text: str
    category: str
    price: float


class DemandSeries(NamedTuple):
    """Units sold. Every series begins with H windows of zeros, as a row online does.

    Attributes:
        item_ids: of the rows, in order.
        units: [items, windows]
        paid: [items, windows] the price paid last when the window had closed, 0 for none
        first: the first of these windows, as its number times the length of one, ms.
        catalogue: by item id, with or without sales.
    """

    item_ids: list[str]
    units: Floats
    paid: Floats
    first: int
    window_ms: int
    catalogue: dict[str, Described]

    def targets(self, horizon: int) -> range:
        """Columns that can be a first forecast window."""
        return range(DEMAND_HISTORY, self.units.shape[1] - horizon + 1)

    def before(self, column: int) -> "DemandSeries":
        """What was known when the window before `column` had closed: items without a sale until then are unknown."""
        known = np.flatnonzero(self.units[:, :column].any(1))
        return self._replace(
            item_ids=[self.item_ids[i] for i in known],
            units=self.units[known, :column],
            paid=self.paid[known, :column],
        )

    def names(self) -> tuple[Ints, Ints]:
        """Hashes of the rows' items and of their categories, as a request carries them. [items] each"""
        unknown = Described("", "", 0.0)
        categories = [self.catalogue.get(name, unknown).category for name in self.item_ids]
        return (
            np.array([item_hash(name) for name in self.item_ids], np.int64),
            np.array([item_hash(name) if name else NO_ITEM for name in categories], np.int64),
        )


class Samples(NamedTuple):
    """Histories and what came after them."""

    tensors: DemandTensors  # of n series
    target: Floats  # [n, Z]

    def pick(self, rows: NDArray[np.int64]) -> "Samples":
        """Some of them."""
        return Samples(self.tensors.pick(rows), self.target[rows])


Window = tuple[str, int]
"""An item and a window's number."""

_LATELY: Final = 24
_REPEATS: Final = 4
"""Draws from a small pool: so often a history may come again."""


def read_series(stream: Path, windows: Windows) -> DemandSeries:
    """Count the purchases of a recorded stream; what online is a dead letter has no place in a window.

    Raises:
        TooLittleData: it holds no purchases.
        UsageError: the file is no recorded stream.
    """
    counts: dict[Window, int] = {}
    paid: dict[Window, tuple[int, float]] = {}
    catalogue: dict[str, Described] = {}
    settings = load_settings()
    for record in read_recording(stream):
        try:
            if record.topic == Topic.ITEMS:
                item = decode_item(None, record.value, appended_ms=record.timestamp, settings=settings)
                if isinstance(item, Item):
                    catalogue[item.item_id] = _described(item)
            elif record.topic == Topic.EVENTS and b'"purchase"' in (record.value or b""):
                sale = decode_event(record.value, appended_ms=record.timestamp, settings=settings)
                _count(sale, windows, counts, paid)
        except BadRecord:
            continue
    return _dense(counts, paid, length_of(windows), catalogue)


def sample(series: DemandSeries, targets: range, horizon: int, n: int, random: np.random.Generator) -> Samples:
    """Draw about `n` histories whose first forecast window lies in `targets`.

    A third of them from items that sell in most windows, a third from those with a sale in the last day of windows:
    there most forecasts are asked. The choice looks at the history alone, so that what follows is not biased.
    """
    sold = np.concatenate([np.zeros((len(series.units), 1)), (series.units > 0).cumsum(1)], 1)
    columns = np.arange(targets.start, targets.stop)
    recent_sales = sold[:, columns] - sold[:, columns - _LATELY]
    pools = (recent_sales >= _LATELY // 2, recent_sales > 0, sold[:, columns] > 0)
    picks = np.concatenate([_draw(pool, n // len(pools), random) for pool in pools])
    item, column = picks[:, 0], columns[picks[:, 1]]
    span = np.arange(-DEMAND_HISTORY, horizon)
    cut = series.units[item[:, None], column[:, None] + span]
    start = series.first + column.astype(np.int64) * series.window_ms
    names, categories = series.names()
    tensors = DemandTensors(
        cut[:, :DEMAND_HISTORY],
        start,
        np.array([series.window_ms], np.int64),
        names[item],
        categories[item],
        series.paid[item, column - 1],
    )
    return Samples(tensors, cut[:, DEMAND_HISTORY:])


def _draw(eligible: NDArray[np.bool_], n: int, random: np.random.Generator) -> NDArray[np.int64]:
    where = np.argwhere(eligible)
    if not len(where):
        return where
    return where[random.integers(0, len(where), min(n, _REPEATS * len(where)))]


def _described(item: Item) -> Described:
    text = item_text(item.title, item.description, item.brand, item.categories)
    return Described(text, item.categories[-1] if item.categories else "", item.price or 0.0)


def _count(sale: Event, windows: Windows, counts: dict[Window, int], paid: dict[Window, tuple[int, float]]) -> None:
    if sale.type != EventType.PURCHASE or sale.item_id is None:
        return
    key = (sale.item_id, number_at(sale.timestamp, windows))
    counts[key] = counts.get(key, 0) + sale.quantity
    if sale.price is not None:
        paid[key] = max(paid.get(key, (0, 0.0)), (sale.timestamp, sale.price))


def _dense(
    counts: dict[Window, int],
    paid: dict[Window, tuple[int, float]],
    window_ms: int,
    catalogue: dict[str, Described],
) -> DemandSeries:
    numbers = [number for _, number in counts]
    if not numbers:
        raise TooLittleData("The stream holds no purchases to learn demand from.")
    begin = min(numbers) - DEMAND_HISTORY
    item_ids = sorted({item for item, _ in counts})
    rows = {item: row for row, item in enumerate(item_ids)}
    units = np.zeros((len(rows), max(numbers) + 1 - begin), np.float32)
    for (item, number), count in counts.items():
        units[rows[item], number - begin] = count
    prices = np.zeros_like(units)
    for (item, number), (_, price) in paid.items():
        prices[rows[item], number - begin] = price
    return DemandSeries(item_ids, units, carried_on(prices), begin * window_ms, window_ms, catalogue)


def carried_on(prices: Floats) -> Floats:
    """Each window's price, or the last one before it."""
    carried = np.zeros_like(prices)
    last = np.zeros(len(prices), np.float32)
    for column in range(prices.shape[1]):  # a column at a time: whole tables of indices would be twice the series
        last = np.where(prices[:, column] > 0, prices[:, column], last)
        carried[:, column] = last
    return carried
