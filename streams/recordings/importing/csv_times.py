"""Times as a shop's exports write them, in ms since 1970 UTC."""

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from streams.recordings.importing.csv_map import TimeForm

_MS_FROM: Final = 100_000_000_000
"""A number from here on is in ms: as seconds it would be after the year 5000, as ms it is after March 1973."""
_LAST: Final = 100_000_000_000_000


def time_parser(form: TimeForm) -> Callable[[str], int]:
    """What reads a time of this form, raising ValueError for what is none."""
    zone = ZoneInfo(form.timezone)

    def parse(text: str) -> int:
        match form.format:
            case "auto":
                return _since_1970(text, None) if _is_number(text) else _in_zone(datetime.fromisoformat(text), zone)
            case "iso":
                return _in_zone(datetime.fromisoformat(text), zone)
            case "s" | "ms":
                return _since_1970(text, form.format)
            case pattern:
                return _in_zone(datetime.strptime(text, pattern), zone)

    return lru_cache(maxsize=65_536)(parse)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal() and len(text.partition(".")[0]) > 8


def _since_1970(text: str, unit: str | None) -> int:
    number = float(text)
    in_ms = number >= _MS_FROM if unit is None else unit == "ms"
    if not 0 <= number < _LAST:  # NaN, too
        raise ValueError(text)
    return round(number if in_ms else number * 1_000)


def _in_zone(moment: datetime, zone: ZoneInfo) -> int:
    at = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return round(at.timestamp() * 1_000)
