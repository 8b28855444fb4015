"""The events that a row remembers: in the order of what happened, whatever the order of arrival."""

import itertools

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.basics.identity import packed_hash
from feature_repo.shoppers.recent import RECENT, Recent, RecentEvent, in_order
from headrace.arrays import HISTORY

EVENTS = st.builds(
    RecentEvent,
    st.integers(0, 60) | st.integers(0, 2**52),
    st.integers(1, 9),
    st.sampled_from(["a", "b", "tea"]),
    st.integers(1, 3),
    st.integers(-1, 10**6),
    st.integers(0, 31),
)


LISTS = st.lists(EVENTS, max_size=9) | st.lists(EVENTS, min_size=RECENT - 2, max_size=RECENT + 30)


@given(LISTS)
def test_the_newest_are_kept_in_order_however_they_came(events: list[RecentEvent]):
    recent = Recent()
    for event in events:
        recent = recent.having(event)
    assert list(recent) == sorted(events, key=in_order)[-RECENT:]
    assert recent == Recent.of(events)


@given(LISTS, st.integers(0, 60))
def test_hashes_are_those_of_the_items_whenever_they_were_asked_for(events: list[RecentEvent], requested: int):
    recent = Recent()
    for number, event in enumerate(events):
        if number == requested:
            assert len(recent.hashes) == 8 * len(recent)
        recent = recent.having(event)
    assert recent.hashes == b"".join(map(packed_hash, recent.items))
    assert msgspec.msgpack.encode(recent) == msgspec.msgpack.encode(Recent.of(events))  # and no part of the row


def test_what_came_in_one_millisecond_stands_in_no_order_that_ids_tell():
    ids = [f"line-{n:02}" for n in range(30)]
    orders = [
        Recent.of(RecentEvent(at, 5, item_id, 1, -1) for item_id in ids).items for at in (1_000, 2_000, 86_400_000)
    ]
    assert all(sorted(order) == ids for order in orders)
    assert len({tuple(order) for order in (*orders, ids, ids[::-1])}) == 5
    steps = sum(a < b for order in orders for a, b in itertools.pairwise(order))
    assert 30 <= steps <= 57  # of 87 pairs of neighbours: as many rise as fall, give or take three deviations


def test_columns_and_events_say_the_same():
    events = [RecentEvent(1_000 + at, at % 9, f"i{at}", at + 1, at - 1, at % 31) for at in range(RECENT)]
    recent = Recent.of(events)
    assert len(recent) == RECENT
    assert recent.oldest == events[0]
    assert recent.times == [event.timestamp for event in events]
    assert list(zip(recent.actions, recent.items, recent.channels, strict=True)) == [
        (event.action, event.item_id, event.channel) for event in events
    ]


def test_one_more_event_leaves_what_was_handed_out_as_it_was():
    before = Recent.of([RecentEvent(1, 1, "a", 1, -1)])
    before.having(RecentEvent(2, 1, "b", 1, -1))
    assert before.items == ["a"]


def test_a_row_remembers_no_more_than_the_model_reads():
    assert RECENT <= HISTORY
