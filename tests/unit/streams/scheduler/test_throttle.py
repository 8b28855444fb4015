"""How often a pipeline is read."""

import pytest

from headrace.settings.model import Settings
from streams.scheduler.pipelines import PipelineName, pipelines_of
from streams.scheduler.throttle import PipelineTopics, PollThrottle

SHOPPERS = PipelineTopics(frozenset({"events"}), share=0.5)
ITEMS = PipelineTopics(frozenset({"items"}), pause_s=2.0)


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 1_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def throttle(clock):
    return PollThrottle(clock)


@pytest.mark.parametrize("pipeline", [SHOPPERS, ITEMS])
def test_what_was_never_read_is_read_at_once(throttle, pipeline):
    assert throttle.remaining_s(pipeline, [SHOPPERS, ITEMS]) == 0.0


def test_batches_are_spaced_by_a_share_of_what_the_last_one_took(throttle, clock):
    throttle.on_read(SHOPPERS, more=False)
    throttle.on_done(SHOPPERS, 0.06)
    assert throttle.remaining_s(SHOPPERS, [SHOPPERS]) == pytest.approx(0.03)
    clock.now += 0.02
    assert throttle.remaining_s(SHOPPERS, [SHOPPERS]) == pytest.approx(0.01)
    clock.now += 0.02
    assert throttle.remaining_s(SHOPPERS, [SHOPPERS]) == 0.0


def test_a_load_that_waited_for_a_server_does_not_hold_up_the_next(throttle):
    throttle.on_read(SHOPPERS, more=False)
    throttle.on_done(SHOPPERS, 30.0)
    assert throttle.remaining_s(SHOPPERS, []) == pytest.approx(0.1)


def test_a_pipeline_pauses_while_the_other_has_batches_in_flight(throttle):
    throttle.on_read(ITEMS, more=False)
    assert throttle.remaining_s(ITEMS, [ITEMS, SHOPPERS]) == pytest.approx(2.0)
    assert throttle.remaining_s(ITEMS, [ITEMS]) == 0.0
    assert throttle.remaining_s(ITEMS, []) == 0.0


def test_a_trickle_is_gathered_and_the_first_record_waits_for_nothing(throttle, clock):
    gathering = ITEMS._replace(gather_s=0.25)
    assert throttle.remaining_s(gathering, [gathering]) == 0.0
    throttle.on_read(gathering, more=False)
    assert throttle.remaining_s(gathering, [gathering]) == pytest.approx(0.25)
    clock.now += 0.25
    assert throttle.remaining_s(gathering, [gathering]) == 0.0


def test_items_are_counted_well_within_a_window():
    pauses = {
        window: pipelines_of(Settings(window=window))[PipelineName.ITEMS][1:3]
        for window in (1_000, 60_000, 240_000, 3_600_000)
    }
    assert pauses == {1_000: (1 / 60, 1 / 60), 60_000: (1.0, 0.1), 240_000: (4.0, 0.1), 3_600_000: (5.0, 0.1)}


@pytest.mark.parametrize("pipeline", [SHOPPERS, ITEMS])
def test_what_a_reading_left_is_read_at_once(throttle, pipeline):
    throttle.on_done(pipeline, 1.0)
    throttle.on_read(pipeline, more=True)
    assert throttle.remaining_s(pipeline, [SHOPPERS, ITEMS]) == 0.0
