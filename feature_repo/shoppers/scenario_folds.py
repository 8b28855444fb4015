"""Scenarios' own views and timers, folded online and offline by this one code. Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from feature_repo.shoppers.timers import Entry, PendingTimers, TimerStates
from headrace.errors import ScenarioFailed
from headrace.messages.events import Event
from headrace.scenarios.declaration import Scenario
from headrace.scenarios.timers import TimerFired, Timers

_FIRED_AT_ONCE: Final = 1_000
"""Timers of one row that one record may fire: more are a fold that asks for timers without end."""


class ScenarioRow(Protocol):
    """A shopper's row as scenarios fold it."""

    @property
    def user_id(self) -> str: ...
    @property
    def timers(self) -> TimerStates: ...
    @property
    def shopper(self) -> Any: ...
    @property
    def views(self) -> dict[str, Any]: ...
    def touch(self) -> None:
        """Note that the row has changed."""
        ...


Ask = Callable[[Scenario, TimerFired, ScenarioRow], None]
"""Called for each timer that a scenario answers."""
OnFailure = Callable[[ScenarioFailed, TimerFired], None]
"""Hears of a scenario that raised for a timer: there is no record to blame, so the timer is gone."""


class ScenarioFolds:
    """Folds the views of scenarios for the rows of one partition, and fires their timers.

    A timer fires when the partition's clock has passed it, and no later than an event of its own shopper that is at or
    after it: what it finds in the row then depends on the shopper's events alone.

    Args:
        pending: the partition's.
        ask: called for a timer, before or after the fold as the scenario has it.
    """

    def __init__(self, scenarios: Sequence[Scenario], pending: PendingTimers, ask: Ask, on_failure: OnFailure) -> None:
        self._folding = [scenario for scenario in scenarios if scenario.views]
        self._by_name = {scenario.name: scenario for scenario in scenarios}
        self._pending = pending
        self._ask = ask
        self._on_failure = on_failure

    def fold(self, row: ScenarioRow, event: Event) -> None:
        """Fold one event into the views of all scenarios.

        Raises:
            ScenarioFailed: a fold raised.
        """
        for scenario in self._folding:
            try:
                self._fold_one(scenario, row, event, event.timestamp)
            except Exception as error:
                raise ScenarioFailed(scenario.name, "fold", error) from error
        self._enter(row)

    def fire_before(self, row: ScenarioRow, timestamp: int) -> None:
        """Fire the timers of a row that are due when its shopper's next event happens."""
        for _ in range(_FIRED_AT_ONCE):
            due = _first_due(row.timers)
            if due is None or due.timestamp > timestamp:
                return
            self._fire(row, due)
        self._give_up(row, timestamp)

    def advance(self, clock: int, rows: Mapping[str, ScenarioRow]) -> None:
        """Let the partition's time pass, and fire what is due; `rows` holds the rows of `PendingTimers.users_until`."""
        self._pending.advance(clock)
        while (entry := self._pending.pop()) is not None:
            row = rows[entry.user_id]
            if row.timers.entries.get(entry.timer) != entry.time:
                continue
            row.touch()
            del row.timers.entries[entry.timer]
            self._enter(row)

    def _enter(self, row: ScenarioRow) -> None:
        """Fire what is due in a row by now, and see that the rest has entries that come up in time."""
        if not any(row.timers.due.values()):
            return
        self.fire_before(row, self._pending.clock)
        for due in _all_due(row.timers):
            timer = f"{due.scenario}/{due.name}"
            entered = row.timers.entries.get(timer)
            if entered is None or due.timestamp < entered:
                row.timers.entries[timer] = due.timestamp
                self._pending.add(Entry(due.timestamp, row.user_id, timer))

    def _fire(self, row: ScenarioRow, due: "_Due") -> None:
        row.touch()
        del row.timers.due[due.scenario][due.name]
        row.timers.entries.pop(f"{due.scenario}/{due.name}", None)
        fired = TimerFired(due.name, row.user_id, due.timestamp)
        scenario = self._by_name.get(due.scenario)
        if scenario is None:  # it ran when the timer was set, and does not now
            return
        step = "query"
        try:
            if scenario.before_fold:
                self._ask(scenario, fired, row)
            step = "fold"
            self._fold_one(scenario, row, fired, fired.timestamp)
            step = "query"
            if not scenario.before_fold:
                self._ask(scenario, fired, row)
        except Exception as error:
            self._on_failure(ScenarioFailed(scenario.name, step, error), fired)

    def _fold_one(self, scenario: Scenario, row: ScenarioRow, folded: Event | TimerFired, now: int) -> None:
        due = row.timers.due.setdefault(scenario.name, {}) if scenario.timers else {}
        timers = Timers(scenario.timers, due, now)
        for view in scenario.views:
            view.fold(row.views[view.name], folded, timers)

    def _give_up(self, row: ScenarioRow, timestamp: int) -> None:
        """Drop the timers of a row whose folds set a new one whenever one fires."""
        while (due := _first_due(row.timers)) is not None and due.timestamp <= timestamp:
            del row.timers.due[due.scenario][due.name]
            fired = TimerFired(due.name, row.user_id, due.timestamp)
            endless = ValueError(f"more than {_FIRED_AT_ONCE} timers of one shopper are due at once")
            self._on_failure(ScenarioFailed(due.scenario, "fold", endless), fired)


class _Due(NamedTuple):
    timestamp: int
    scenario: str
    name: str


def _all_due(states: TimerStates) -> Iterator[_Due]:
    return (_Due(due, scenario, name) for scenario, timers in states.due.items() for name, due in timers.items())


def _first_due(states: TimerStates) -> _Due | None:
    return min(_all_due(states), default=None)
