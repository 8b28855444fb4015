"""A worker that stands still is told from one that waits, and from one that has nothing to do."""

import pytest

from streams.operations.health import HealthMonitor


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def monitor(clock: Clock) -> HealthMonitor:
    return HealthMonitor(clock)


def after(clock: Clock, monitor: HealthMonitor, seconds: float) -> HealthMonitor:
    """The same, while its loop turns."""
    clock.now += seconds
    monitor.beat()
    return monitor


def test_a_loop_that_does_not_turn_is_dead(clock: Clock, monitor: HealthMonitor):
    clock.now += 61
    assert monitor.dead() == "its event loop has not run for 61 s"
    monitor.beat()
    assert monitor.dead() == ""


def test_records_that_wait_and_never_come_make_it_end_itself(clock: Clock, monitor: HealthMonitor):
    monitor.note_lag(5)
    assert after(clock, monitor, 119).stuck(busy=False) == ""
    assert after(clock, monitor, 2).stuck(busy=False) == "No batch was finished for 121 s though records wait"
    assert monitor.stuck(busy=True) == ""


def test_work_in_hand_has_longer_before_it_counts_as_lost(clock: Clock, monitor: HealthMonitor):
    monitor.note_lag(5)
    assert after(clock, monitor, 599).dead() == ""
    assert after(clock, monitor, 2).dead() == "5 records wait, and no batch was finished for 601 s"


def test_nothing_to_do_is_no_standstill(clock: Clock, monitor: HealthMonitor):
    after(clock, monitor, 1_000).note_lag(0)
    assert (monitor.stuck(busy=False), monitor.dead()) == ("", "")


def test_waiting_for_a_server_is_told_and_no_reason_to_be_restarted(clock: Clock, monitor: HealthMonitor):
    monitor.note_lag(5)
    monitor.note_blocked("the store is away")
    assert after(clock, monitor, 1_000).dead() == ""
    assert monitor.trouble == "the store is away"
    monitor.note_progress()
    assert monitor.trouble == ""
