"""What an outage cost is read off the records' own append times."""

from types import SimpleNamespace

import msgspec

from benchmarks.outage.answers import Moments, judge
from benchmarks.outage.completeness import is_whole, places
from feature_repo.basics.fences import Fence
from feature_repo.shoppers import shopper
from feature_repo.store.row_store import StoredRow

MOMENTS = Moments(gone=1_000, back=3_000)


def record(topic, at, partition=0, **value):
    """All of a consumed record that is looked at."""
    return SimpleNamespace(topic=topic, partition=partition, timestamp=at, value=msgspec.json.encode(value))


def event(event_id, at, kind="view", partition=0):
    return record("events", at, partition, event_id=event_id, type=kind)


def answered(event_id, at, fallback=None):
    return record("recommendations", at, event_id=event_id, fallback=fallback)


def test_answers_are_judged_by_when_their_events_came():
    outage = judge(
        [
            *(event("before", 900), answered("before", 950)),
            *(event("in time", 1_100), answered("in time", 1_300, "model_unavailable")),
            *(event("late", 1_200), answered("late", 1_500, "model_unavailable")),
            event("never", 1_300),
            event("a search", 1_400, kind="click"),
            *(event("full again", 3_100), answered("full again", 3_400)),
        ],
        MOMENTS,
    )
    assert outage.requested == 3
    assert outage.answered == round(2 / 3, 5)
    assert outage.in_time == round(1 / 3, 5)
    assert outage.in_time_otherwise == 1.0
    assert outage.fallback_share == 1.0
    assert outage.resumed_s == 0.4
    assert outage.silence_s == 1.9


def test_a_first_visit_is_no_outage():
    outage = judge([event("first", 1_100), answered("first", 1_150, "unknown_user")], MOMENTS)
    assert (outage.fallback_share, outage.resumed_s) == (0.0, 0.0)


def test_a_server_that_never_answers_again_is_said_to():
    outage = judge([event("e", 1_100), answered("e", 1_150, "model_unavailable")], MOMENTS)
    assert outage.resumed_s is None


def test_silence_is_counted_of_the_partition_that_waited_longest():
    records = [event(f"e{at}", at, partition=at // 100 % 2) for at in range(900, 2_000, 100)]
    records += [answered(f"e{at}", at + 10) for at in range(900, 2_000, 100) if at // 100 % 2 or at in {1_000, 1_800}]
    assert judge(records, MOMENTS).silence_s == 0.8


def row(views, **offsets):
    state = shopper.unpack(b"")
    state.counts = [0, views]
    fence = Fence()
    for origin, offset in offsets.items():
        fence.advance(origin, offset)
    return StoredRow(fence.pack(), b"", (shopper.pack(state),))


def test_a_row_is_torn_where_it_has_passed_an_event_that_it_does_not_hold():
    events = [("events/0", 3), ("events/0", 5), ("events/0", 9)]
    assert is_whole(row(3, **{"events/0": 9}), events)
    assert is_whole(row(2, **{"events/0": 5}), events), "a replica that lags is behind, and whole"
    assert not is_whole(row(1, **{"events/0": 9}), events)


def test_events_are_found_by_their_shopper():
    records = [record("events", 0, partition) for partition in (0, 1)] + [record("recommendations", 0)]
    for offset, one in enumerate(records):
        one.key, one.offset = b"ann", offset
    assert places(records) == {"ann": [("events/0", 0), ("events/1", 1)]}
