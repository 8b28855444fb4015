"""What a shopper is not recommended: what stands before their eyes, and what they own."""

import numpy as np

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.identity import item_hash
from feature_repo.shoppers.exclusion import MOMENT_MS, bought_items, recent_items, without_repeats
from feature_repo.shoppers.history import hashes
from feature_repo.shoppers.recent import Recent, RecentEvent
from feature_repo.shoppers.shopper import ShopperState

NOW = 1_000 * MOMENT_MS
VIEW, RETURN = ACTION_CODE["view"], ACTION_CODE["return"]


def recent(*events: tuple[int, str]) -> Recent:
    return Recent.of(RecentEvent(NOW + at, VIEW, item_id, 1, -1) for at, item_id in events)


def listed(packed: bytes) -> list[int]:
    return hashes(packed).tolist()


def test_what_was_looked_at_in_the_last_minutes_is_told_once_and_nothing_older():
    events = recent((-2 * MOMENT_MS, "old"), (-MOMENT_MS, "edge"), (1 - MOMENT_MS, "a"), (-5, "b"), (0, "a"))
    assert listed(recent_items(events, NOW)) == [item_hash("a"), item_hash("b")]


def test_an_event_that_is_told_of_late_sees_what_came_after_it():
    assert listed(recent_items(recent((0, "a"), (MOMENT_MS, "b")), NOW)) == [item_hash("a"), item_hash("b")]


def test_a_shopper_without_history_has_nothing_before_their_eyes():
    assert recent_items(Recent(), NOW) == b""
    assert listed(recent_items(recent((-MOMENT_MS, "a")), NOW)) == []


def test_what_was_sent_back_was_had():
    bought = item_hash("b").to_bytes(8, "little", signed=True)
    events = Recent.of([RecentEvent(NOW, RETURN, "gift", 1, -1), RecentEvent(NOW, VIEW, "seen", 1, -1)])
    assert listed(bought_items(ShopperState(bought=bought, recent=events))) == [item_hash("b"), item_hash("gift")]
    assert bought_items(ShopperState(bought=bought)) == bought


def test_of_what_was_bought_that_which_is_bought_again_stays():
    bought = np.array([7, -3, 9, 100])
    assert without_repeats(bought, np.array([-3, 8, 9])).tolist() == [7, 0, 0, 100]
    assert without_repeats(bought, np.zeros(0, np.int64)).tolist() == bought.tolist()
