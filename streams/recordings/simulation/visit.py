"""One visit to the simulated shop: pages shown, clicks by known probabilities, browsing along a thread."""

from typing import Final, Unpack

import numpy as np

from headrace.messages.events import EventType
from streams.recordings.simulation.anomalies import is_stopped
from streams.recordings.simulation.journal import EventFields
from streams.recordings.simulation.plan import SHOWN
from streams.recordings.simulation.shop import FOLLOWER_WEIGHTS, Ints
from streams.recordings.simulation.shoppers import (
    DEVICES,
    PAGES,
    click_probabilities,
    follower_draws,
    relevance,
    shopper_id,
)
from streams.recordings.simulation.vocabulary import BLAME, CATEGORIES, PRAISE, QUERY_ENDINGS
from streams.recordings.simulation.world import World

_PICKED: Final = 4  # of the items shown, by liking
_ANOTHER_PAGE, _ANOTHER_ITEM = 0.45, 0.6
_FOLLOW: Final = 0.7
_HOME, _SEARCH, _ITEM = PAGES.index("home"), PAGES.index("search"), PAGES.index("item")
_DAY_MS: Final = 86_400_000


class Visit:
    """A shopper in the shop, with what they remember of their last visit."""

    def __init__(self, world: World, *, user: int, number: int, start: int, last: int) -> None:
        self._rng, self._shop, self._journal = world.rng, world.shop, world.journal
        self._drops = [a for a in world.anomalies if a.direction == "drop"]
        self._now, self.last = start, last
        self.user_id = shopper_id(user)
        self._session = f"visit-{number + 1:06d}"
        self._device = int(world.shoppers.device[user])
        self._channel = "app" if world.shoppers.has_app[user] else "web"
        self._liking = relevance(world.shop, world.shoppers, user)
        self._pull = np.log(world.shop.popularity) + 0.9 * self._liking
        self._appeal = np.cumsum(np.exp(self._pull + 0.5 * self._liking))

    def run(self, truth: dict[str, list[float]]) -> None:
        """Let the visit happen; what was shown goes to `truth` with its click probabilities."""
        page = _HOME
        while self._show(page, truth):
            while self._chance(_ANOTHER_ITEM):
                self._look(self._next_item())
            if not self._chance(_ANOTHER_PAGE):
                break
            page = int(self._rng.integers(_SEARCH, len(PAGES)))

    def _show(self, page: int, truth: dict[str, list[float]]) -> bool:
        category = self._search() if page == _SEARCH else None
        shown, explored = self._choose_shown(page, category)
        draws = follower_draws(self._shop, self.last, shown)
        chances = click_probabilities(self._liking[shown], draws, page, self._device)
        request = f"{self._session}-{self._now % _DAY_MS}"
        items, by_chance = ([self._id(i) for i in some] for some in (shown, explored))
        event = self._note(EventType.IMPRESSION, items=items, request_id=request, page=page, explored=by_chance)
        if event is None:
            return False
        truth[event] = [round(float(chance), 6) for chance in chances]
        for item in shown[self._rng.random(len(shown)) < chances]:
            self._wait(8)
            self._note(EventType.CLICK, item_id=self._id(item), request_id=request, page=page)
            self._look(int(item))
        return True

    def _choose_shown(self, page: int, category: int | None) -> tuple[Ints, Ints]:
        """Some by liking and popularity, two that follow it on an item's page, the rest by chance; what chance drew.

        Chance draws among all, so that it says nothing of an item that it would have been shown by liking too.
        """
        shop, rng = self._shop, self._rng
        candidates = np.arange(shop.browsed)
        if category is not None:
            within = np.flatnonzero(shop.category[: shop.browsed] == category)
            candidates = within if len(within) >= SHOWN else candidates
        noisy = self._pull[candidates] + rng.gumbel(size=len(candidates))
        picked = candidates[np.argsort(-noisy)[:_PICKED]]
        related = shop.followers[self.last][:2] if page == _ITEM and self.last >= 0 else picked[:0]
        drawn = rng.permutation(candidates)
        pool = np.concatenate([related, picked, drawn])
        first = np.sort(np.unique(pool, return_index=True)[1])[:SHOWN]
        chosen = len(related) + len(picked)
        return rng.permutation(pool[first]), drawn[: max(0, int(first[-1]) + 1 - chosen)]

    def _search(self) -> int:
        wanted = self._next_item()
        category = int(self._shop.category[wanted])
        good = self._rng.choice(CATEGORIES[category].goods)
        self._note(EventType.SEARCH, query=f"{good} {self._rng.choice(QUERY_ENDINGS)}".strip(), page=_SEARCH)
        return category

    def _next_item(self) -> int:
        """Follow the thread of the last item, or start a new one by taste."""
        if self.last >= 0 and self._chance(_FOLLOW):
            return int(self._rng.choice(self._shop.followers[self.last], p=FOLLOWER_WEIGHTS))
        return int(np.searchsorted(self._appeal, self._rng.random() * self._appeal[-1]))

    def _look(self, item: int) -> None:
        self._wait(25)
        self._note(EventType.VIEW, item_id=self._id(item), price=self._price(item), page=_ITEM)
        self.last = item
        liking = float(self._liking[item])
        if self._chance(0.30 / (1 + np.exp(1.5 - liking))):
            self._wait(10)
            self._note(EventType.ADD_TO_CART, item_id=self._id(item), price=self._price(item))
            if self._chance(0.6):
                self._buy(item)
            elif self._chance(0.2):
                self._wait(20)
                self._note(EventType.REMOVE_FROM_CART, item_id=self._id(item))

    def _buy(self, item: int) -> None:
        self._wait(40)
        if is_stopped(self._drops, item, self._now):
            return
        quantity = 1 + int(self._chance(0.12))
        self._note(EventType.PURCHASE, item_id=self._id(item), price=self._price(item), quantity=quantity)
        happy = self._rng.normal(0.6 * self._shop.quality[item] + 0.8) > 0
        later = self._now + int(self._rng.uniform(1, 6) * _DAY_MS)
        if self._chance(0.2):
            self._review(item, happy, later)
        if not happy and self._chance(0.4):
            self._journal.note(
                EventType.RETURN,
                self.user_id,
                later + 3_600_000,
                item_id=self._id(item),
                price=self._price(item),
            )

    def _review(self, item: int, happy: bool, timestamp: int) -> None:
        text = self._rng.choice(PRAISE if happy else BLAME)
        rating = int(self._rng.integers(4, 6) if happy else self._rng.integers(1, 4))
        self._journal.note(
            EventType.REVIEW, self.user_id, timestamp, item_id=self._id(item), rating=rating, text=f"{text}."
        )

    def _note(self, type_: EventType, *, page: int | None = None, **fields: Unpack[EventFields]) -> str | None:
        context: dict[str, str | int | float] = {"device": DEVICES[self._device]}
        if page is not None:
            context["page"] = PAGES[page]
        fields.update(session_id=self._session, channel=self._channel, context=context)
        return self._journal.note(type_, self.user_id, self._now, **fields)

    def _wait(self, seconds: float) -> None:
        self._now += 1_000 + int(self._rng.exponential(seconds) * 1_000)

    def _chance(self, probability: float) -> bool:
        return bool(self._rng.random() < probability)

    def _id(self, item: int) -> str:
        return self._shop.items[item].item_id

    def _price(self, item: int) -> float:
        return float(self._shop.price[item])
