"""The pipeline's workload: one seeded shop, the same events for every contestant.

60 % views, 20 % impressions of ten items, 10 % clicks, 6 % carts, 4 % purchases. Shoppers differ in how much they do
and in what they like; items differ in how many like them.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace.messages.events import EventType
from headrace.recording.reading import Record
from streams.recordings.outgoing import NewEvent, NewItem, event_record, item_record
from streams.recordings.simulation.vocabulary import CATEGORIES

MIX: Final = {
    EventType.VIEW: 0.6,
    EventType.IMPRESSION: 0.2,
    EventType.CLICK: 0.1,
    EventType.ADD_TO_CART: 0.06,
    EventType.PURCHASE: 0.04,
}
SHOWN: Final = 10
"""Items of an impression."""
START_MS: Final = 1_767_571_200_000
MS_AN_EVENT: Final = 432
"""Event time between two events of a backlog: 200,000 of them are a day."""
_LIKED: Final = 0.8
"""Share of a shopper's items that are of the category he likes."""
_PRICED: Final = frozenset({EventType.VIEW, EventType.ADD_TO_CART, EventType.PURCHASE})


class Size(NamedTuple):
    """How large the workload is."""

    events: int = 200_000
    shoppers: int = 20_000
    items: int = 12_000


def catalogue(size: Size, seed: int) -> list[Record]:
    """The shop's items as records of `items`."""
    random = np.random.default_rng([seed, 0])
    return [item_record(_item(random, number), START_MS) for number in range(size.items)]


def events(
    size: Size, seed: int, first: int = 0, ms_an_event: float = MS_AN_EVENT, after_ms: float | None = None
) -> Iterator[Record]:
    """The events, in order of time; another `first` goes on after them, with other ids.

    Args:
        ms_an_event: event time between two events.
        after_ms: event time of the first one, ms since the workload's start; None goes on by this very clock.
    """
    began_ms = first * ms_an_event if after_ms is None else after_ms
    random = np.random.default_rng([seed, 1, first])
    kind = random.choice(len(MIX), size.events, p=list(MIX.values()))
    shopper = random.permutation(size.shoppers)[_weighted(random, size.shoppers, size.events, 0.5)]
    item = _items(random, shopper, size)
    kinds, prices = list(MIX), _prices(size, seed)
    for n in range(size.events):
        number, goods = first + n, item[n].tolist()
        shown = kinds[kind[n]] is EventType.IMPRESSION
        event = NewEvent(
            event_id=f"e-{seed}-{number}",
            type=kinds[kind[n]],
            user_id=f"shopper-{shopper[n]}",
            timestamp=START_MS + int(began_ms + n * ms_an_event),
            item_id=None if shown else _item_id(goods[0]),
            items=[_item_id(one) for one in dict.fromkeys(goods)] if shown else None,
            session_id=f"s-{shopper[n]}",
            price=prices[goods[0]] if kinds[kind[n]] in _PRICED else None,
        )
        yield event_record(event)


class Parts:
    """The workload in parts that follow one another in event time, each by a clock of its own."""

    def __init__(self, size: Size, seed: int) -> None:
        self._size, self._seed = size, seed
        self._done, self._next_ms = 0, 0.0

    def part(self, count: int, ms_an_event: float = MS_AN_EVENT) -> list[Record]:
        """The next `count` events."""
        size = self._size._replace(events=count)
        part = list(events(size, self._seed, self._done, ms_an_event, self._next_ms))
        self._done += count
        self._next_ms += count * ms_an_event
        return part


def _items(random: np.random.Generator, shopper: NDArray[np.int64], size: Size) -> NDArray[np.int64]:
    """Items of each event [n, SHOWN]: mostly of the category that its shopper likes, popular ones first."""
    each = size.items // len(CATEGORIES)
    shape = (len(shopper), SHOWN)
    liked = random.integers(0, len(CATEGORIES), size.shoppers)[shopper][:, None]
    strays = random.integers(0, len(CATEGORIES), shape)
    category = np.where(random.random(shape) < _LIKED, liked, strays)
    return _weighted(random, each, len(shopper) * SHOWN, 0.8).reshape(shape) * len(CATEGORIES) + category


def _weighted(random: np.random.Generator, of: int, n: int, power: float) -> NDArray[np.int64]:
    weight = (np.arange(of) + 3.0) ** -power
    return random.choice(of, n, p=weight / weight.sum())


def _prices(size: Size, seed: int) -> list[float]:
    random = np.random.default_rng([seed, 2])
    return np.round(np.exp(3 + 0.6 * random.standard_normal(size.items)), 2).tolist()


def _item(random: np.random.Generator, number: int) -> NewItem:
    category = CATEGORIES[number % len(CATEGORIES)]
    good, style, detail, brand = (
        words[random.integers(len(words))]
        for words in (category.goods, category.styles, category.details, category.brands)
    )
    return NewItem(
        item_id=_item_id(number),
        title=f"{brand} {style} {good}, {detail}",
        brand=brand,
        categories=[category.name],
    )


def _item_id(number: int) -> str:
    return f"item-{number}"
