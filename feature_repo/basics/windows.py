"""Windows of event time: their numbers, and where each begins.

Windows follow one another without a gap, and a row knows one by its number. All are of one length, in UTC, but those of
whole days begin at midnight where the shop is (`HEADRACE_TIMEZONE`), so that a day of summer time has 23 hours or 25.

What reckons with windows reckons with numbers, or with a number times the length: a clock that shows the shop's time
and is never put forward or back. Only an event's time and what is said outside is UTC.
"""

from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

DAY_MS: Final = 86_400_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
_LAST: Final = date.max.toordinal() - 2
"""Beyond it Python's calendar ends; days are as in UTC from there."""


class LocalDays(NamedTuple):
    """Windows of so many days of a place; `zone` is its IANA name."""

    days: int
    zone: str


Windows = int | LocalDays
"""Windows as the settings make them: their length in ms, or days of a place."""


@lru_cache
def windows_of(length_ms: int, timezone: str) -> Windows:
    """The windows that `HEADRACE_WINDOW` and `HEADRACE_TIMEZONE` ask for."""
    days, rest = divmod(length_ms, DAY_MS)
    return length_ms if rest or timezone == "UTC" else LocalDays(days, timezone)


def length_of(windows: Windows) -> int:
    """The length of a window in ms, as the clock that is never put forward or back shows it."""
    return windows if isinstance(windows, int) else windows.days * DAY_MS


def zone_of(windows: Windows) -> str:
    """Where the windows begin."""
    return "UTC" if isinstance(windows, int) else windows.zone


def number_at(time_ms: int, windows: Windows) -> int:
    """The number of the window that an event time lies in."""
    if isinstance(windows, int):
        return time_ms // windows
    day, second, third = _days_around(time_ms // DAY_MS, windows.zone)
    return (day + (time_ms >= second) + (time_ms >= third)) // windows.days


def start_of(number: int, windows: Windows) -> int:
    """Where a window begins, and the one before it ends: event time, ms."""
    return number * windows if isinstance(windows, int) else _midnight(number * windows.days, windows.zone)


def end_of_stream(last_event_time: int, windows: Windows, lateness_ms: int) -> int:
    """The time that closes every window of a stream whose newest event lies there, ms; a day may have 25 hours."""
    over = start_of(number_at(last_event_time, windows) + 1, windows)
    return max(over, last_event_time + length_of(windows)) + lateness_ms


def label_of(windows: Windows) -> str:
    """Windows as a store remembers what its rows count by."""
    return str(windows) if isinstance(windows, int) else f"{length_of(windows)} {windows.zone}"


def labelled(label: str) -> Windows:
    """The inverse of `label_of`."""
    length, _, zone = label.partition(" ")
    return windows_of(int(length), zone or "UTC")


@lru_cache(maxsize=4_096)
def _days_around(utc_day: int, zone: str) -> tuple[int, int, int]:
    """The place's day in which a day of UTC begins, by its number, and where the next two begin."""
    begin = utc_day * DAY_MS
    day = utc_day + 1  # no clock is a day ahead of UTC
    while _midnight(day, zone) > begin:
        day -= 1
    return day, _midnight(day + 1, zone), _midnight(day + 2, zone)


def _midnight(day: int, zone: str) -> int:
    """Where a day begins, ms: at the first of two midnights, and where there is none, at what comes in its place."""
    if _EPOCH + day > _LAST:
        return day * DAY_MS
    local = datetime.combine(date.fromordinal(_EPOCH + day), datetime.min.time(), ZoneInfo(zone))
    since = local.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * DAY_MS + since.seconds * 1_000
