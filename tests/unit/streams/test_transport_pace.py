"""How often a road is read."""

import pytest

from streams.roads import roads_of
from streams.settings import RoadChoice, Settings
from streams.transport.pace import Pace, RoadTopics

SHOPPERS = RoadTopics(frozenset({"events"}), share=0.5)
ITEMS = RoadTopics(frozenset({"items"}), pause_s=2.0)


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
def pace(clock):
    return Pace(clock)


@pytest.mark.parametrize("road", [SHOPPERS, ITEMS])
def test_what_was_never_read_is_read_at_once(pace, road):
    assert pace.left(road, [SHOPPERS, ITEMS], alone=True) == 0.0


def test_loads_are_spaced_by_a_share_of_what_the_last_one_took(pace, clock):
    pace.read(SHOPPERS, more=False)
    pace.arrived(SHOPPERS, 0.06)
    assert pace.left(SHOPPERS, [SHOPPERS], alone=False) == pytest.approx(0.03)
    clock.now += 0.02
    assert pace.left(SHOPPERS, [SHOPPERS], alone=False) == pytest.approx(0.01)
    clock.now += 0.02
    assert pace.left(SHOPPERS, [SHOPPERS], alone=False) == 0.0


def test_a_load_that_waited_for_a_server_does_not_hold_up_the_next(pace):
    pace.read(SHOPPERS, more=False)
    pace.arrived(SHOPPERS, 30.0)
    assert pace.left(SHOPPERS, [], alone=False) == pytest.approx(0.1)


def test_a_road_pauses_while_the_other_is_at_work_here_or_elsewhere(pace):
    pace.read(ITEMS, more=False)
    assert pace.left(ITEMS, [ITEMS, SHOPPERS], alone=False) == pytest.approx(2.0)
    assert pace.left(ITEMS, [ITEMS], alone=True) == pytest.approx(2.0)
    assert pace.left(ITEMS, [ITEMS], alone=False) == 0.0


def test_a_pause_is_over_where_nothing_comes_any_more(pace):
    pace.read(ITEMS, more=False)
    pace.quiet(ITEMS)
    assert pace.left(ITEMS, [ITEMS], alone=True) == 0.0


def test_items_are_counted_well_within_a_window():
    pauses = {
        window: roads_of(Settings(window=window))[RoadChoice.ITEMS].pause_s for window in (60_000, 240_000, 3_600_000)
    }
    assert pauses == {60_000: 1.0, 240_000: 4.0, 3_600_000: 5.0}


@pytest.mark.parametrize("road", [SHOPPERS, ITEMS])
def test_what_a_reading_left_is_read_at_once(pace, road):
    pace.arrived(road, 1.0)
    pace.read(road, more=True)
    assert pace.left(road, [SHOPPERS, ITEMS], alone=True) == 0.0
