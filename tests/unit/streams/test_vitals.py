"""A worker that stands still is told from one that waits, and from one that has nothing to do."""

import pytest

from streams.vitals import Vitals


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def vitals(clock: Clock) -> Vitals:
    return Vitals(clock)


def after(clock: Clock, vitals: Vitals, seconds: float) -> Vitals:
    """The same, while its loop turns."""
    clock.now += seconds
    vitals.beat()
    return vitals


def test_a_loop_that_does_not_turn_is_dead(clock: Clock, vitals: Vitals):
    clock.now += 61
    assert vitals.dead() == "its loop has not turned for 61 s"
    vitals.beat()
    assert vitals.dead() == ""


def test_records_that_wait_and_never_come_make_it_end_itself(clock: Clock, vitals: Vitals):
    vitals.hear_of(5)
    assert after(clock, vitals, 119).stuck(busy=False) == ""
    assert after(clock, vitals, 2).stuck(busy=False) == "Nothing came for 121 s though records wait"
    assert vitals.stuck(busy=True) == ""


def test_work_in_hand_has_longer_before_it_counts_as_lost(clock: Clock, vitals: Vitals):
    vitals.hear_of(5)
    assert after(clock, vitals, 599).dead() == ""
    assert after(clock, vitals, 2).dead() == "5 records wait, and none was done for 601 s"


def test_nothing_to_do_is_no_standstill(clock: Clock, vitals: Vitals):
    after(clock, vitals, 1_000).hear_of(0)
    assert (vitals.stuck(busy=False), vitals.dead()) == ("", "")


def test_waiting_for_a_server_is_told_and_no_reason_to_be_restarted(clock: Clock, vitals: Vitals):
    vitals.hear_of(5)
    vitals.wait_for("the store is away")
    assert after(clock, vitals, 1_000).dead() == ""
    assert vitals.trouble == "the store is away"
    vitals.progress()
    assert vitals.trouble == ""
