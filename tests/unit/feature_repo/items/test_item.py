"""The item's fold: exact, and blind to the order of item updates."""

import random
from itertools import permutations

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.money import held
from feature_repo.basics.windows import LocalDays
from feature_repo.items.item import (
    KEPT_WINDOWS,
    ItemActivity,
    as_features,
    drop_before,
    fold,
    pack,
    price_before,
    unpack,
)
from headrace.arrays import DEMAND_SPAN
from headrace.messages.internal import ItemUpdate

HOUR = 3_600_000


def update(action="purchase", at=0, quantity=1, cents=-1, late=False, shard=-1):
    return ItemUpdate(0, "tea", ACTION_CODE[action], at, quantity, cents, late, shard)


def folded(updates):
    state = ItemActivity()
    for one in updates:
        fold(state, one, HOUR)
    return state


def test_what_happens_at_midnight_where_the_shop_is_counts_for_the_day_there():
    """22:00 UTC of the 9th of June 2026 is midnight in Berlin."""
    state, midnight = ItemActivity(), 1_781_042_400_000
    for at in (midnight - 1, midnight):
        fold(state, ItemUpdate(0, "tea", ACTION_CODE["purchase"], at, 1, -1, False), LocalDays(1, "Europe/Berlin"))
    assert list(state.sold) == [20_613, 20_614]  # days since 1970


def test_counts_what_happened_in_whole_numbers():
    state = folded(
        [
            update("view", at=10 * HOUR),
            update("add_to_cart", at=10 * HOUR + 1),
            update("purchase", at=10 * HOUR + 2, quantity=3, cents=250),
            update("return", at=11 * HOUR, quantity=2),
            update("impression", at=11 * HOUR + 5),
        ]
    )
    features = as_features(state)
    assert features["events"] == {"view": 1, "add_to_cart": 1, "purchase": 1, "return": 1, "impression": 1}
    assert (features["units"], features["returned"], features["revenue_cents"]) == (3, 2, 750)
    assert features["newest"] == 11 * HOUR + 5
    assert features["windows"]["10"] == {"views": 1, "carts": 1, "purchases": 1, "returned": 0, "late": 0}
    assert features["sold"] == {"10": 3}


def test_a_price_below_a_hundredth_counts():
    state = unpack(pack(folded([update(quantity=1_000, cents=held(0.0042)), update(at=1, cents=held(19.995))])))
    assert as_features(state)["revenue_cents"] == 420 + 1_999.5
    assert as_features(state)["price_paid_cents"] == 1_999.5
    assert price_before(state, 1) == held(19.995)


def test_the_order_of_deltas_leaves_no_trace():
    order = random.Random(4)
    actions = ["view", "click", "add_to_cart", "purchase", "return"]
    updates = [
        update(
            order.choice(actions),
            at=order.randrange(400 * HOUR),
            quantity=order.randint(1, 5),
            cents=held(order.randint(1, 5_000_000) / 1_000_000),
        )
        for _ in range(600)
    ]
    expected = pack(folded(updates))
    for _ in range(5):
        order.shuffle(updates)
        assert pack(folded(updates)) == expected


def test_late_units_correct_the_counters_and_no_window_that_decides():
    state = folded([update(at=5 * HOUR, quantity=2), update(at=5 * HOUR, quantity=7, late=True)])
    assert (state.units, state.late, state.sold) == (9, 7, {5: 2})
    assert state.windows[5].late == 7


def test_an_on_time_delta_of_a_window_already_concluded_counts_as_late():
    state = ItemActivity(evaluated=5)
    fold(state, update(at=5 * HOUR, quantity=2), HOUR)
    assert (state.late, state.sold) == (2, {})


def test_units_not_yet_concluded_stay_however_far_the_item_runs_ahead():
    state = folded([update(at=HOUR), update(at=(KEPT_WINDOWS + 500) * HOUR)])
    assert sorted(state.sold) == [1, KEPT_WINDOWS + 500]
    assert sorted(state.windows) == [KEPT_WINDOWS + 500]


def test_old_units_are_forgotten_on_request_only():
    state = folded([update(at=HOUR), update(at=9 * HOUR)])
    drop_before(state, 9)
    assert state.sold == {9: 1}


def test_the_price_paid_last_before_a_window_is_the_same_in_any_order():
    updates = [update(at=HOUR, cents=300), update(at=HOUR + 5, cents=250), update(at=4 * HOUR, cents=280)]
    for order in permutations(updates):
        state = folded(order)
        assert [price_before(state, window) for window in (1, 2, 4, 5)] == [-1, 250, 250, 280]


def test_prices_are_kept_as_far_back_as_forecasts_ask_for_them():
    state = folded([update(at=hour * HOUR, cents=hour) for hour in range(1, 20)])
    drop_before(state, 19 + 1 - KEPT_WINDOWS)
    assert price_before(state, 19 - DEMAND_SPAN + 1) == 15
    assert min(state.paid) == 15


def test_a_scope_has_no_price():
    assert folded([update(at=HOUR, cents=300, shard=2)]).paid == {}


def test_a_row_survives_packing():
    state = folded([update(at=HOUR, quantity=2), update("view", at=3 * HOUR)])
    assert unpack(pack(state)) == state
    assert unpack(b"") == ItemActivity()
