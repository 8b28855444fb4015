"""The events that a row remembers: in the order of what happened, whatever the order of arrival."""

from hypothesis import given
from hypothesis import strategies as st

from feature_repo.recent import RECENT, Recent, RecentEvent
from streams.messages.wire import HISTORY

EVENTS = st.builds(
    RecentEvent,
    st.integers(0, 60) | st.integers(0, 2**52),
    st.integers(1, 9),
    st.sampled_from(["a", "b", "tea"]),
    st.integers(1, 3),
    st.integers(-1, 10**6),
    st.integers(0, 31),
)


@given(st.lists(EVENTS, max_size=3 * RECENT))
def test_the_newest_are_kept_in_order_however_they_came(events: list[RecentEvent]):
    recent = Recent()
    for event in events:
        recent = recent.having(event)
    assert list(recent) == sorted(events)[-RECENT:]
    assert recent == Recent.of(sorted(events))


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
