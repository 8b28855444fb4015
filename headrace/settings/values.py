"""Values of settings as people write them: durations, dates, switches."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import BeforeValidator

UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_A_DATE = "a date from 1970-01-01 on, such as 2000-01-01"
_DURATION = re.compile(r"^\s*(\d+)\s*(ms|s|m|h|d)\s*$")


def parse_duration_ms(value: object) -> object:
    """Turn `90s`, `10m`, `1h` or `1d` into milliseconds; leave integers as they are."""
    if not isinstance(value, str):
        return value
    match = _DURATION.match(value)
    if match is None:
        raise ValueError("a duration such as 30s, 10m, 1h or 1d")
    return int(match[1]) * UNITS_MS[match[2]]


def parse_time_ms(value: object) -> object:
    """Turn a date such as `2000-01-01` (or a date and time, UTC unless it says otherwise) into ms since 1970 UTC."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value.strip())
    except ValueError:
        raise ValueError(_A_DATE) from None
    time_ms = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)
    if time_ms < 0:
        raise ValueError(_A_DATE)
    return time_ms


def _parse_switch(value: object) -> object:
    if isinstance(value, str) and value.lower() in {"on", "off"}:
        return value.lower() == "on"
    if isinstance(value, bool):
        return value
    raise ValueError("on or off")


DurationMs = Annotated[int, BeforeValidator(parse_duration_ms)]
TimeMs = Annotated[int, BeforeValidator(parse_time_ms)]
Switch = Annotated[bool, BeforeValidator(_parse_switch)]
