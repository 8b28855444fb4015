"""Views and timers of scenarios: what fires, when, and that batches and other shoppers change nothing."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from feature_repo.shoppers.scenario_folds import ScenarioFolds
from feature_repo.shoppers.timers import PendingTimers, TimerStates
from headrace.errors import ScenarioFailed
from headrace.messages.events import Event, EventType
from headrace.messages.outputs import OutputBase
from headrace.scenarios import OutputTopic, Scenario, TimerFired, Timers, View

GAP = 100


class Session(Struct):
    """Events since the last silence."""

    events: int = 0
    ended: int = 0


class Row:
    """A shopper's row, as the pipeline has it."""

    def __init__(self, user_id: str, view: str = "session") -> None:
        self.user_id = user_id
        self.shopper: Any = None
        self.views: dict[str, Any] = {view: Session()}
        self.timers = TimerStates()
        self.touched = False

    def touch(self) -> None:
        self.touched = True


def count(state: Session, folded: Event | TimerFired, timers: Timers) -> None:
    """A session ends after a gap without an event."""
    if isinstance(folded, TimerFired):
        state.ended += 1
        state.events = 0
    else:
        state.events += 1
        timers.set("end", folded.timestamp + GAP)


def scenario(fold: Any = count, **more: Any) -> Scenario:
    return Scenario(
        name="sessions",
        answers=lambda found, _: isinstance(found, TimerFired),
        query=lambda found, row, _: row.views["session"].events,
        output=lambda answer: OutputBase(id="", timestamp=0, model=answer.result.model),
        outputs=[OutputTopic(name="sessions", message=OutputBase)],
        views=[View(name="session", state=Session, fold=fold)],
        timers=frozenset({"end"}),
        **more,
    )


class Shop:
    """One partition: rows, pending timers, and what fired with the events of the session as a query sees them."""

    def __init__(self, *scenarios: Scenario) -> None:
        self.rows: dict[str, Row] = {}
        self.pending = PendingTimers()
        self.fired: list[tuple[TimerFired, int]] = []
        self.failures: list[ScenarioFailed] = []
        self.folds = ScenarioFolds(
            scenarios or (scenario(),),
            self.pending,
            lambda _, fired, row: self.fired.append((fired, row.views["session"].events)),
            lambda failure, _: self.failures.append(failure),
        )

    def happens(self, user_id: str, timestamp: int) -> None:
        row = self.rows.setdefault(user_id, Row(user_id))
        event = Event(event_id=f"{user_id}{timestamp}", type=EventType.SEARCH, user_id=user_id, timestamp=timestamp)
        self.folds.fire_before(row, timestamp)
        self.folds.fold(row, event)

    def passes(self, clock: int) -> None:
        self.folds.advance(clock, self.rows)


def test_a_timer_fires_when_the_clock_has_passed_it():
    shop = Shop()
    shop.happens("u", 0)
    shop.passes(99)
    assert shop.fired == []
    shop.passes(100)
    assert [fired for fired, _ in shop.fired] == [TimerFired("end", "u", 100)]
    assert shop.rows["u"].touched


def test_a_timer_that_moves_fires_once_at_its_last_time():
    shop = Shop()
    for time in (0, 60, 120):
        shop.happens("u", time)
    shop.passes(219)
    assert shop.fired == []
    shop.passes(1_000)
    assert [fired.timestamp for fired, _ in shop.fired] == [220]


def test_a_timer_that_moves_to_a_later_time_has_one_entry():
    shop = Shop()
    for time in range(50):
        shop.happens("u", time)
    assert len(shop.pending) == 1


def test_a_timer_that_moves_to_an_earlier_time_fires_then():
    def sooner(state: Session, folded: Event | TimerFired, timers: Timers) -> None:
        if isinstance(folded, Event):
            timers.set("end", 200 - folded.timestamp)

    shop = Shop(scenario(sooner))
    for time in (0, 50):
        shop.happens("u", time)
    shop.passes(149)
    assert shop.fired == []
    shop.passes(150)
    shop.passes(500)
    assert [fired.timestamp for fired, _ in shop.fired] == [150]


def test_a_timer_fires_before_its_shoppers_next_event_whatever_the_clock_says():
    shop = Shop()
    shop.happens("u", 0)
    shop.happens("u", 100)
    assert [fired.timestamp for fired, _ in shop.fired] == [100]
    assert shop.rows["u"].views["session"] == Session(events=1, ended=1)


def test_a_cancelled_timer_does_not_fire():
    def once(state: Session, folded: Event | TimerFired, timers: Timers) -> None:
        if folded.timestamp == 0:
            timers.set("end", 100)
        else:
            timers.cancel("end")

    shop = Shop(scenario(once))
    shop.happens("u", 0)
    shop.happens("u", 1)
    shop.passes(1_000)
    assert shop.fired == []
    assert shop.rows["u"].timers.is_empty


def test_a_query_sees_the_row_before_the_fold_where_the_scenario_asks_for_that():
    for before, events in ((True, 1), (False, 0)):
        shop = Shop(scenario(before_fold=before))
        shop.happens("u", 0)
        shop.passes(100)
        assert [seen for _, seen in shop.fired] == [events]


def test_a_fold_that_sets_what_is_not_later_than_its_input_is_refused():
    def past(_: Session, folded: Event | TimerFired, timers: Timers) -> None:
        timers.set("end", folded.timestamp)

    shop = Shop(scenario(past))
    try:
        shop.happens("u", 7)
    except ScenarioFailed as failure:
        assert str(failure) == (
            "scenario sessions: its fold raised ValueError: timer `end` is set to 7, which is not later than its "
            "input, 7"
        )
    else:
        raise AssertionError("it was taken")


def test_a_fold_that_asks_for_timers_without_end_loses_its_timer_and_nothing_else():
    def endless(state: Session, folded: Event | TimerFired, timers: Timers) -> None:
        state.events += 1
        timers.set("end", folded.timestamp + 1)

    shop = Shop(scenario(endless))
    shop.happens("u", 0)
    shop.passes(10_000_000)
    assert "more than 1000 timers" in str(shop.failures[0])
    assert shop.rows["u"].timers.due["sessions"] == {}
    shop.happens("v", 10_000_001)
    assert shop.rows["v"].views["session"].events == 1


def test_a_scenario_that_raises_for_a_timer_is_reported_and_the_next_timer_fires():
    def raises(state: Session, folded: Event | TimerFired, timers: Timers) -> None:
        if isinstance(folded, TimerFired) and folded.user_id == "u":
            raise RuntimeError("no session")
        count(state, folded, timers)

    shop = Shop(scenario(raises))
    shop.happens("u", 0)
    shop.happens("v", 1)
    shop.passes(1_000)
    assert [str(failure) for failure in shop.failures] == [
        "scenario sessions: its fold raised RuntimeError: no session"
    ]
    assert [fired.user_id for fired, _ in shop.fired] == ["v"]


def test_timers_of_a_scenario_that_runs_no_more_are_gone():
    shop = Shop()
    shop.happens("u", 0)
    shop.folds = ScenarioFolds((), shop.pending, lambda *_: None, lambda *_: None)
    shop.passes(1_000)
    assert shop.rows["u"].timers.due["sessions"] == {}


EVENTS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 60)), min_size=1, max_size=40)


def replay(events: Sequence[tuple[str, int]], *, every: int) -> list[TimerFired]:
    """Events in the order of a log whose time goes on, the clock moved after every so many of them."""
    shop, now = Shop(), 0
    for number, (user_id, passed) in enumerate(events):
        now += passed
        shop.happens(user_id, now)
        if number % every == every - 1:
            shop.passes(now)
    shop.passes(10**9)
    return sorted((fired for fired, _ in shop.fired), key=lambda fired: (fired.user_id, fired.timestamp))


@given(EVENTS, st.integers(1, 10))
def test_which_timers_fire_is_a_matter_of_each_shoppers_events_alone(events: list[tuple[str, int]], every: int):
    assert replay(events, every=1) == replay(events, every=every)
