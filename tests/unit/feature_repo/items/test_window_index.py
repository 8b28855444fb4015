"""Which windows close when."""

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.items.window_index import (
    EPISODE_WINDOWS,
    REMEMBERED,
    WATCHED,
    WindowIndex,
    advance,
    observe,
    pack,
    unpack,
)
from headrace.messages.internal import ItemUpdate, Watermark

HOUR, LATENESS = 3_600_000, 600_000


def sell(index, item, hour, *, source=0, late=False, action="purchase"):
    observe(index, source, ItemUpdate(0, item, ACTION_CODE[action], hour * HOUR, 1, -1, late), HOUR)


def close_through(index, hour, *, source=0, sources=1, idle=False):
    """The source's time passes the end of `hour` plus lateness."""
    mark = Watermark(0, (hour + 1) * HOUR + LATENESS, idle)
    return advance(index, source, mark, sources=sources, windows=HOUR, lateness_ms=LATENESS)


def named(closed_windows):
    return [(c.item_id, c.window_start // HOUR) for c in closed_windows if c.judged]


def test_a_window_closes_when_every_source_has_passed_its_end_and_lateness():
    index = WindowIndex()
    sell(index, "tea", 5)
    assert close_through(index, 5, source=0, sources=2) == []
    early = Watermark(0, 6 * HOUR + LATENESS - 1, idle=False)
    assert advance(index, 1, early, sources=2, windows=HOUR, lateness_ms=LATENESS) == []
    assert named(close_through(index, 5, source=1, sources=2)) == [("tea", 5)]


def test_windows_close_in_order_of_time_then_item():
    index = WindowIndex()
    for item, hour in (("b", 6), ("c", 5), ("a", 6), ("a", 5)):
        sell(index, item, hour)
    closed_windows = named(close_through(index, 6))
    assert closed_windows == [("a", 5), ("c", 5), ("a", 6), ("b", 6)]


def test_only_units_on_time_make_a_window_due():
    index = WindowIndex()
    sell(index, "tea", 5, late=True)
    sell(index, "tea", 6, action="view")
    assert close_through(index, 9) == []


def test_closing_one_by_one_or_at_once_is_the_same():
    together, apart = WindowIndex(), WindowIndex()
    for index in (together, apart):
        for hour in range(100):
            if hour % 5 != 3:
                sell(index, "busy", hour)
            if hour % 37 == 0:
                sell(index, "slow", hour)
    at_once = close_through(together, 200)
    one_by_one = [closed for hour in range(201) for closed in close_through(apart, hour)]
    assert at_once == one_by_one
    assert pack(together) == pack(apart)


def test_an_item_that_sells_often_is_judged_in_empty_windows_until_its_sales_fade():
    index = WindowIndex()
    for hour in range(2 * REMEMBERED):
        sell(index, "busy", hour)
    close_through(index, 2 * REMEMBERED - 1)
    closed_windows = close_through(index, 10 * REMEMBERED)
    assert len(closed_windows) == REMEMBERED - WATCHED
    assert [c.judged for c in closed_windows] == [True] * len(closed_windows)
    assert [c.last for c in closed_windows] == [False] * (len(closed_windows) - 1) + [True]


def test_a_slow_item_is_looked_at_shortly_after_a_sale_and_then_forgotten():
    index = WindowIndex()
    sell(index, "slow", 7)
    closed_windows = close_through(index, 500)
    assert [c.judged for c in closed_windows] == [True] + [False] * EPISODE_WINDOWS
    assert closed_windows[-1].last
    assert index.recent == {}


def test_weeks_without_sales_are_passed_in_one_step():
    index = WindowIndex()
    sell(index, "tea", 3)
    sell(index, "tea", 10**9)
    assert named(close_through(index, 10**9)) == [("tea", 3), ("tea", 10**9)]


def test_an_idle_source_holds_nothing_back_until_it_speaks_again():
    index = WindowIndex()
    sell(index, "tea", 5)
    sell(index, "tea", 8)
    assert close_through(index, 2, source=1, sources=2, idle=True) == []
    assert named(close_through(index, 5, sources=2)) == [("tea", 5)]
    sell(index, "tea", 7, source=1)
    assert close_through(index, 8, sources=2) == []
    assert named(close_through(index, 8, source=1, sources=2)) == [("tea", 7), ("tea", 8)]


def test_when_all_sources_are_idle_the_one_that_came_farthest_counts():
    index = WindowIndex()
    sell(index, "tea", 5)
    close_through(index, 2, source=0, sources=2, idle=True)
    assert named(close_through(index, 5, source=1, sources=2, idle=True)) == [("tea", 5)]


def test_a_window_that_closed_without_a_source_stays_closed():
    index = WindowIndex()
    close_through(index, 9)
    sell(index, "tea", 5)
    assert close_through(index, 20) == []
    assert index.pending == {}


def test_a_row_survives_packing():
    index = WindowIndex()
    for item in ("b", "a", "c"):
        sell(index, item, 4)
    close_through(index, 2)
    assert unpack(pack(index)) == index
    assert unpack(b"") == WindowIndex()
