"""Scenarios' own views and timers over a recorded stream, by the code that folds them online."""

from typing import Any

from feature_repo.shoppers.scenario_folds import ScenarioFolds, ScenarioRow
from feature_repo.shoppers.scenario_states import ScenarioStateCodec, ScenarioStates
from feature_repo.shoppers.shopper import ShopperState
from feature_repo.shoppers.timers import PendingTimers, TimerStates
from headrace.errors import ScenarioFailed
from headrace.messages.events import Event
from headrace.scenarios import Scenario, TimerFired
from headrace.scenarios.registry import Registry


class _Row:
    """A shopper's row in memory."""

    def __init__(self, user_id: str, shopper: ShopperState, states: ScenarioStates) -> None:
        self.user_id = user_id
        self.shopper = shopper
        self.states = states

    @property
    def views(self) -> dict[str, Any]:
        return self.states.views

    @property
    def timers(self) -> TimerStates:
        return self.states.timers

    def touch(self) -> None:
        """Rows in memory need no writing."""


class OfflineScenarios:
    """The states of all shoppers; shoppers of one partition share a clock.

    Attributes:
        failures: of scenarios for timers, which a worker logs.
    """

    def __init__(self, registry: Registry, partitions: int) -> None:
        self._codec = ScenarioStateCodec(registry.views)
        self._rows: dict[str, _Row] = {}
        self.failures: list[ScenarioFailed] = []
        self._folds = [
            ScenarioFolds(registry.scenarios, PendingTimers(), _ask_nothing, self._note_failure)
            for _ in range(partitions if registry.views else 0)
        ]

    def fire_before(self, event: Event, shopper: ShopperState, partition: int) -> None:
        """Fire what is due before an event."""
        if self._folds:
            self._folds[partition].fire_before(self._row(event.user_id, shopper), event.timestamp)

    def fold(self, event: Event, shopper: ShopperState, partition: int) -> None:
        """Fold an event into the views of all scenarios.

        Raises:
            ScenarioFailed: a fold raised: a worker makes the event a dead letter.
        """
        if self._folds:
            self._folds[partition].fold(self._row(event.user_id, shopper), event)

    def advance(self, partition: int, clock: int) -> None:
        """Let the time of a partition's timers pass."""
        if self._folds:
            self._folds[partition].advance(clock, self._rows)

    def advance_all(self, clock: int) -> None:
        """Let time pass in all partitions, as at the end of a replay."""
        for partition in range(len(self._folds)):
            self.advance(partition, clock)

    def packed(self) -> dict[str, bytes]:
        """The states of all shoppers who have any, as the online store would hold them."""
        packed = {user_id: self._codec.pack(row.states) for user_id, row in self._rows.items()}
        return {user_id: states for user_id, states in packed.items() if states}

    def _row(self, user_id: str, shopper: ShopperState) -> _Row:
        if user_id not in self._rows:
            self._rows[user_id] = _Row(user_id, shopper, self._codec.unpack(b""))
        return self._rows[user_id]

    def _note_failure(self, failure: ScenarioFailed, _: TimerFired) -> None:
        self.failures.append(failure)


def _ask_nothing(_: Scenario, __: TimerFired, ___: ScenarioRow) -> None:
    """Nobody is answered offline."""
