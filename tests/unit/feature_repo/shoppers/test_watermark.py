"""Rule 9 at the source: event time, lateness, and clocks that run ahead."""

from feature_repo.shoppers.watermark import SourceWatermark, pack, unpack

WINDOW, LATENESS = 1_000, 100


LONG_AFTER = 10**12
"""When the records of a replay are appended."""


def observe(mark: SourceWatermark, timestamp: int, user: str, appended: int = LONG_AFTER) -> int | None:
    return mark.observe(timestamp, user, appended, WINDOW, LATENESS)


def test_one_clock_that_runs_ahead_moves_nothing_alone():
    mark = SourceWatermark()
    observe(mark, 10, "a")
    observe(mark, 20, "b")
    announced = [observe(mark, 9_000_000 + n, "ahead") for n in range(3)]
    assert [a for a in announced if a is not None and a > 20] == []
    assert not mark.is_late(500, WINDOW, LATENESS)


def test_several_clocks_that_run_ahead_move_it_no_further_than_the_time_of_arrival():
    """An hour in which two phones, 58 minutes fast, act every half minute, and honest shoppers every ten seconds."""
    minute, mark, late = 60_000, SourceWatermark(), 0
    window, lateness, start = 60 * minute, 10 * minute, 1_000 * 60 * minute
    for now in range(start, start + window, 10_000):
        if now % (minute // 2) == 0:
            for user in ("fast", "fast too"):
                mark.observe(now + 58 * minute, user, now, window, lateness)
        late += mark.is_late(now, window, lateness)
        mark.observe(now, f"honest {now % 7}", now, window, lateness)
    assert late == 0
    assert mark.second <= now


def test_a_window_still_closes_where_every_clock_runs_ahead():
    mark, derived = SourceWatermark(), []
    for now in range(0, 3 * WINDOW + LATENESS + 20, 10):
        derived.append(observe(mark, now + 700, f"fast {now % 3}", now))
    assert [time for time in derived if time is not None][-3:] == [n * WINDOW + LATENESS for n in (1, 2, 3)]


def test_a_second_shopper_in_the_next_window_announces_it_once():
    mark = SourceWatermark()
    for timestamp, user in ((10, "a"), (20, "b"), (1_150, "a")):
        observe(mark, timestamp, user)
    assert observe(mark, 1_160, "b") == 1_150
    assert observe(mark, 1_170, "b") is None


def test_a_window_is_late_once_it_was_announced_closable():
    mark = SourceWatermark()
    for timestamp, user in ((10, "a"), (20, "b"), (1_150, "a"), (1_160, "b")):
        observe(mark, timestamp, user)
    assert mark.is_late(999, WINDOW, LATENESS)
    assert not mark.is_late(1_000, WINDOW, LATENESS)


def test_nothing_is_announced_within_the_lateness():
    mark = SourceWatermark()
    for timestamp, user in ((150, "a"), (160, "b"), (1_050, "a")):
        observe(mark, timestamp, user)
    assert observe(mark, 1_060, "b") is None
    assert not mark.is_late(999, WINDOW, LATENESS)


def test_a_stored_mark_goes_on_where_it_was():
    mark = SourceWatermark()
    for timestamp, user in ((10, "a"), (20, "b"), (1_150, "a"), (1_160, "b")):
        observe(mark, timestamp, user)
    assert unpack(pack(mark)) == mark
    assert unpack(b"") == SourceWatermark()
