"""Windows of whole days begin at midnight where the shop is; all others at a multiple of their length, in UTC."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_repo.basics.windows import (
    DAY_MS,
    LocalDays,
    end_of_stream,
    label_of,
    labelled,
    length_of,
    number_at,
    start_of,
    windows_of,
)

HOUR_MS = 3_600_000
YEAR_10000_MS = 253_402_300_800_000
PLACES = ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Africa/Cairo", "Pacific/Apia"]


def ms(*when: int, zone: str = "UTC") -> int:
    return int(datetime(*when, tzinfo=ZoneInfo(zone)).timestamp() * 1_000)  # type: ignore[misc]


def hours(windows: LocalDays, *day: int) -> float:
    number = number_at(ms(*day, 12, zone=windows.zone), windows)
    return (start_of(number + 1, windows) - start_of(number, windows)) / HOUR_MS


def test_a_day_begins_at_midnight_where_the_shop_is():
    windows = windows_of(DAY_MS, "Europe/Berlin")
    before, after = ms(2026, 6, 9, 21, 59), ms(2026, 6, 9, 22, 0)
    assert number_at(after, windows) == number_at(before, windows) + 1
    assert start_of(number_at(after, windows), windows) == after == ms(2026, 6, 10, zone="Europe/Berlin")


def test_days_of_summer_time_have_23_hours_and_25():
    berlin = LocalDays(1, "Europe/Berlin")
    assert [hours(berlin, 2026, 3, day) for day in (28, 29, 30)] == [24, 23, 24]
    assert [hours(berlin, 2026, 10, day) for day in (24, 25, 26)] == [24, 25, 24]
    assert hours(LocalDays(1, "Australia/Lord_Howe"), 2026, 4, 5) == 24.5


def test_where_there_is_no_midnight_the_day_begins_when_the_clock_goes_on():
    """Cairo puts its clocks forward at midnight."""
    cairo = LocalDays(1, "Africa/Cairo")
    assert hours(cairo, 2024, 4, 26) == 23
    number = number_at(ms(2024, 4, 26, 12, zone="Africa/Cairo"), cairo)
    assert start_of(number, cairo) == ms(2024, 4, 26, 1, zone="Africa/Cairo")


def test_a_day_that_a_place_left_out_holds_nothing():
    """Samoa went from the 29th of December 2011 to the 31st."""
    apia = LocalDays(1, "Pacific/Apia")
    last, next_ = (number_at(ms(2011, 12, day, 12, zone="Pacific/Apia"), apia) for day in (29, 31))
    assert next_ == last + 2
    assert start_of(last + 1, apia) == start_of(next_, apia)


def test_weeks_are_seven_of_its_days():
    berlin, weeks = LocalDays(1, "Europe/Berlin"), windows_of(7 * DAY_MS, "Europe/Berlin")
    number = number_at(ms(2026, 3, 29, 12), weeks)
    assert start_of(number, weeks) == start_of(7 * number, berlin)
    assert start_of(number + 1, weeks) - start_of(number, weeks) in (7 * DAY_MS, 7 * DAY_MS - HOUR_MS)


@pytest.mark.parametrize("length", [60_000, HOUR_MS, 6 * HOUR_MS, DAY_MS + HOUR_MS])
def test_windows_that_are_no_whole_days_are_of_one_length_everywhere(length):
    assert windows_of(length, "Asia/Kolkata") == length


@given(st.integers(0, YEAR_10000_MS - 1), st.sampled_from(PLACES), st.integers(1, 9))
def test_every_time_lies_in_one_window(time, zone, days):
    windows = LocalDays(days, zone)
    number = number_at(time, windows)
    assert start_of(number, windows) <= time < start_of(number + 1, windows)


@given(st.integers(ms(1999, 1, 1), ms(2037, 1, 1)), st.sampled_from(PLACES))
def test_a_time_lies_in_the_day_that_a_calendar_there_shows(time, zone):
    local = datetime.fromtimestamp(time / 1_000, ZoneInfo(zone))
    assert number_at(time, LocalDays(1, zone)) == local.toordinal() - datetime(1970, 1, 1).toordinal()


@pytest.mark.parametrize("zone", PLACES)
def test_windows_follow_one_another(zone):
    windows = LocalDays(1, zone)
    starts = [start_of(number, windows) for number in range(-2, 40_000)]
    assert all(one <= other for one, other in pairwise(starts))


def test_days_in_utc_are_what_they_are_without_a_place():
    day = number_at(ms(2026, 3, 29, 12), LocalDays(1, "Etc/UTC"))
    assert day == number_at(ms(2026, 3, 29, 12), windows_of(DAY_MS, "UTC"))
    assert start_of(day, LocalDays(1, "Etc/UTC")) == datetime(2026, 3, 29, tzinfo=UTC).timestamp() * 1_000


@pytest.mark.parametrize("windows", [HOUR_MS, DAY_MS, LocalDays(1, "Europe/Berlin"), LocalDays(7, "Asia/Kolkata")])
def test_a_label_names_windows(windows):
    assert labelled(label_of(windows)) == windows
    assert label_of(windows).split()[0] == str(length_of(windows))


def test_a_day_of_25_hours_is_over_when_its_stream_is():
    berlin = LocalDays(1, "Europe/Berlin")
    midnight = start_of(number_at(1_792_900_000_000, berlin), berlin)  # of the 25th of October 2026
    closable = number_at(end_of_stream(midnight + 1, berlin, 5) - 5, berlin)
    assert closable == number_at(midnight, berlin) + 1


def test_a_stream_of_hours_ends_a_window_after_its_last_event():
    assert end_of_stream(5, 3_600_000, 600_000) == 5 + 3_600_000 + 600_000
