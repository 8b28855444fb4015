"""Training moments leave out what a worker would: the whole sequence and the folded row agree."""

import random

import numpy as np
import pytest

from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.shoppers.exclusion import MOMENT_MS, bought_items, recent_items, without_repeats
from feature_repo.shoppers.history import hashes
from feature_repo.shoppers.shopper import ShopperState, fold
from headrace.arrays import HISTORY
from headrace.messages.events import Event, EventType
from trainer.data.excluding import exclusions, listable
from trainer.data.impressions import ImpressionLog
from trainer.data.score_requests import Case
from trainer.data.shop import Sequences, Shop
from trainer.evaluation.moments import next_item_cases

NAMES = [f"i{n}" for n in range(30)]
HASHES = np.array(sorted(item_hash(name) for name in NAMES), np.int64)
ROW = {name: int(np.searchsorted(HASHES, item_hash(name))) for name in NAMES}
KINDS = (EventType.VIEW, EventType.ADD_TO_CART, EventType.PURCHASE, EventType.RETURN)


def histories(seed: int, shoppers: int = 4, events: int = 130) -> list[list[Event]]:
    dice, made = random.Random(seed), []
    for shopper in range(shoppers):
        now, mine = 10**9, []
        for n in range(events):
            now += dice.choice((1_000, MOMENT_MS // 2, MOMENT_MS, 10 * MOMENT_MS))
            kind, name = dice.choice(KINDS), dice.choice(NAMES)
            mine.append(Event(event_id=f"{shopper}-{n}", type=kind, user_id=str(shopper), timestamp=now, item_id=name))
        made.append(mine)
    return made


def shop_of(made: list[list[Event]]) -> Shop:
    flat = [event for mine in made for event in mine]
    codes = dict(zip(KINDS, (1, 3, 5, 6), strict=True))
    sequences = Sequences(
        np.array([ROW[event.item_id or ""] for event in flat]),
        np.array([codes[event.type] for event in flat], np.int32),
        np.array([event.timestamp for event in flat]),
        np.cumsum([0, *map(len, made)]),
    )
    available = np.ones(len(NAMES), np.bool_)
    return Shop(HASHES, NAMES, NAMES, available, sequences, ImpressionLog().collect(), len(flat), 0, [()] * len(NAMES))


def online(events: list[Event], repeats: np.ndarray) -> set[int]:
    state = ShopperState()
    for event in events:
        fold(state, event)
    own = without_repeats(hashes(bought_items(state)), repeats)
    now = {item_hash(events[-1].item_id or ""), *hashes(recent_items(state.recent, events[-1].timestamp)).tolist()}
    return (now | set(own.tolist())) - {NO_ITEM}


@pytest.mark.parametrize("again", [0, 10, 30])
def test_a_moment_leaves_out_what_the_worker_would(again: int):
    made, repeats = histories(again), HASHES[:again]
    shop = shop_of(made)
    cases = next_item_cases(shop, 0)
    found = exclusions(shop, cases, repeats)
    flat = [(mine, n) for mine in made for n in range(len(mine))]
    for case, row in zip(cases, found, strict=True):
        mine, n = flat[case.history.stop - 1]
        assert case.history.stop - case.history.start == min(n + 1, HISTORY)
        assert set(row.tolist()) - {NO_ITEM} == online(mine[: n + 1], repeats)


def test_a_moment_before_anything_happened_leaves_nothing_out():
    shop = shop_of(histories(0))
    assert exclusions(shop, [Case(slice(0, 0), 5, NO_ITEM, frozenset())], HASHES[:0]).tolist() == [[NO_ITEM]]


def test_moments_at_which_a_list_can_hold_nothing_wanted_are_not_measured():
    shop = shop_of(histories(1))
    cases = next_item_cases(shop, 0)
    kept, none_again = listable(shop, cases, HASHES), listable(shop, cases, HASHES[:0])
    assert 0 < len(none_again) < len(kept) < len(cases)
    exclude = exclusions(shop, none_again, HASHES[:0])
    assert not any(case.relevant <= set(row.tolist()) for case, row in zip(none_again, exclude, strict=True))
