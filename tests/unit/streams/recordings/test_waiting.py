"""A replay's end closes every window that it opened."""

from feature_repo.basics.windows import LocalDays, number_at, start_of
from headrace.settings.model import Settings
from streams.recordings.traffic.waiting import end_of

DAY_MS = 86_400_000
SETTINGS = Settings(window=DAY_MS, timezone="Europe/Berlin")


def test_a_day_of_25_hours_is_over_when_its_replay_is():
    berlin = LocalDays(1, "Europe/Berlin")
    midnight = start_of(number_at(1_792_900_000_000, berlin), berlin)  # of the 25th of October 2026
    closable = number_at(end_of(midnight + 1, SETTINGS) - SETTINGS.lateness, berlin)
    assert closable == number_at(midnight, berlin) + 1


def test_a_replay_of_hours_ends_a_window_after_its_last_event():
    hours = Settings()
    assert end_of(5, hours) == 5 + hours.window + hours.lateness
