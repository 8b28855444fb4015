"""A shopper's features: what the fold remembers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.basics.identity import item_hash
from feature_repo.registry.unpacked import shopper_columns
from feature_repo.shoppers.history import hashes
from feature_repo.shoppers.shopper import (
    CHANNELS,
    REMEMBERED,
    SESSION_GAP_MS,
    ShopperState,
    fold,
    pack,
    seen_items,
    unpack,
)
from feature_repo.store.dump import shopper_features
from headrace.messages.events import MOST, Event, EventType

MINUTE = 60_000


def event(at: int, kind: EventType = EventType.VIEW, item_id: str | None = "a", **fields: object) -> Event:
    plain = {"event_id": f"e{at}", "type": kind, "user_id": "u", "timestamp": at, "item_id": item_id}
    return Event(**{**plain, **fields})


def folded(*events: Event) -> ShopperState:
    state = ShopperState()
    for one in events:
        fold(state, one)
    return state


def test_recent_events_stand_in_order_of_event_time_however_they_came():
    times = [e.timestamp for e in folded(event(3), event(1), event(2)).recent]
    assert times == [1, 2, 3]


def test_fifty_events_are_remembered_one_by_one():
    state = folded(*(event(at) for at in range(60)))
    assert [e.timestamp for e in state.recent] == list(range(10, 60))
    assert sum(state.counts) == 60


def test_what_leaves_the_recent_events_is_still_seen():
    state = folded(*(event(at, item_id=f"i{at}") for at in range(1, 60)), event(0, item_id="late"))
    assert set(hashes(state.seen)) == {*(item_hash(f"i{at}") for at in range(1, 10)), item_hash("late")}
    assert set(hashes(seen_items(state))) == {*(item_hash(f"i{at}") for at in range(1, 60)), item_hash("late")}


def test_half_an_hour_without_an_event_ends_a_session():
    first, second = event(0), event(SESSION_GAP_MS + 1, EventType.ADD_TO_CART)
    session = folded(first, second).session
    assert (session.count, session.events, session.carts, session.start) == (2, 1, 1, SESSION_GAP_MS + 1)


def test_a_search_is_no_recent_item_but_is_remembered():
    state = folded(event(1, EventType.SEARCH, None, query="blue mug"))
    assert not state.recent
    assert state.last_query == "blue mug"


def test_identify_links_other_ids_once():
    state = folded(*(event(at, EventType.IDENTIFY, None, user_ids=["u", "app-7", "app-8"]) for at in (1, 2)))
    assert state.aliases == ["app-7", "app-8"]


def test_bought_items_are_remembered_once_and_the_oldest_forgotten():
    state = folded(*(event(at, EventType.PURCHASE, f"i{at % (REMEMBERED + 1)}") for at in range(REMEMBERED + 1)))
    assert len(state.bought) == 8 * REMEMBERED
    fold(state, event(9_999_999, EventType.PURCHASE, "i5"))
    assert len(state.bought) == 8 * REMEMBERED


def test_a_row_has_room_for_so_many_channels():
    state = folded(*(event(at, channel=f"channel {at}") for at in range(2 * CHANNELS)), event(99, channel="x" * 9_999))
    assert len(state.channels) == CHANNELS
    assert len(pack(folded(event(1, channel="x" * 9_999)))) < 1_000


def test_prices_below_a_hundredth_add_up():
    cheap = [event(at, EventType.PURCHASE, price=0.0042, quantity=1_000) for at in range(3)]
    state = unpack(pack(folded(*cheap)))
    assert (state.spent, state.spent_rest) == (3 * 420, 0)
    assert (state.price_sum, state.price_rest, state.price_count) == (1, 2_600, 3)
    features = shopper_features(pack(state))
    assert (features["spent"], features["price_sum"]) == (1_260, 1.26)
    assert [recent["price_cents"] for recent in features["recent"]] == [0.42] * 3
    assert shopper_columns([pack(state)])["mean_price"] == [pytest.approx(0.0042)]


def test_sums_stop_at_what_a_row_can_hold():
    dear = [event(at, EventType.PURCHASE, price=float(MOST), quantity=MOST) for at in range(3)]
    assert unpack(pack(folded(*dear))).spent == 2**62


@given(st.lists(st.tuples(st.integers(0, 10**12), st.sampled_from(sorted(EventType)), st.sampled_from("abc"))))
def test_a_row_survives_packing(steps: list[tuple[int, EventType, str]]):
    state = folded(*(event(at, kind, item, items=[item], user_ids=[item], query="q") for at, kind, item in steps))
    assert unpack(pack(state)) == state
    assert pack(unpack(pack(state))) == pack(state)
