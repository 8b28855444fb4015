"""The items that a shop's own export names: of each what most of its rows say."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from statistics import median
from typing import Final

from headrace.messages.events import MAX_TITLE
from streams.recordings.outgoing import NewEvent, NewItem

_TEXTS: Final = ("title", "description", "brand")


class ItemTable:
    """Gathers what rows say of items."""

    def __init__(self) -> None:
        self._texts: defaultdict[str, defaultdict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
        self._categories: defaultdict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
        self._prices: defaultdict[str, list[float]] = defaultdict(list)

    def note(self, event: NewEvent, cells: Mapping[str, str], categories: Callable[[str], list[str]]) -> None:
        """Note what an event's row says of its item; of items that were shown only that there are some."""
        for shown in event.items or ():
            self._texts[shown]
        if event.item_id is None:
            return
        texts = self._texts[event.item_id]
        for name in _TEXTS:
            if text := " ".join(cells.get(name, "").split()):
                texts[name][text] += 1
        if found := tuple(categories(cells.get("categories", ""))):
            self._categories[event.item_id][found] += 1
        if event.price:
            self._prices[event.item_id].append(event.price)

    def items(self, timestamp: int) -> list[NewItem]:
        """All of them, in the order in which they were first named; one without a title is called by its id."""
        return [self._item(item_id, texts, timestamp) for item_id, texts in self._texts.items()]

    def _item(self, item_id: str, texts: Mapping[str, Counter[str]], timestamp: int) -> NewItem:
        most_common = {name: counts.most_common(1)[0][0] for name, counts in texts.items() if counts}
        categories = self._categories.get(item_id)
        prices = self._prices.get(item_id)
        return NewItem(
            item_id=item_id,
            title=most_common.get("title", item_id)[:MAX_TITLE],
            description=most_common.get("description"),
            brand=most_common.get("brand"),
            categories=list(categories.most_common(1)[0][0]) if categories else None,
            price=round(median(prices), 4) if prices else None,
            timestamp=max(timestamp, 1),
        )
