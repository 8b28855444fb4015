"""Rule 9 at the source: event time, lateness, and clocks that run ahead."""

from feature_repo.watermark import SourceWatermark, pack, unpack

WINDOW, LATENESS = 1_000, 100


def observe(mark: SourceWatermark, timestamp: int, user: str) -> int | None:
    return mark.observe(timestamp, user, WINDOW, LATENESS)


def test_one_clock_that_runs_ahead_moves_nothing_alone():
    mark = SourceWatermark()
    observe(mark, 10, "a")
    observe(mark, 20, "b")
    announced = [observe(mark, 9_000_000 + n, "ahead") for n in range(3)]
    assert [a for a in announced if a is not None and a > 20] == []
    assert not mark.is_late(500, WINDOW, LATENESS)


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
