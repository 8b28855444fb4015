"""Time stamps of a series, in whatever way its file writes them: one way a file."""

import re
from datetime import UTC, datetime
from enum import Enum
from math import isfinite
from typing import Final

_MS_FROM: Final = 1e11
"""A number of this size is milliseconds since 1970: as seconds it would lie past the year 5000."""
_US_FROM: Final = 1e14
_NS_FROM: Final = 1e17
_LAST_MS: Final = 253_402_300_799_999  # the end of the year 9999
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_WORDS: Final = frozenset({"nan", "inf", "infinity"})
_COMPACT: Final = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_YEARS: Final = range(1900, 2101)


class _Form(Enum):
    COMPACT = "a date without dashes"
    NUMBER = "a number"
    ISO = "a date"


class Stamps:
    """Reads the time stamps of one file. What the first one is, all others are: `20140228` is no second of 1970."""

    def __init__(self) -> None:
        self._form: _Form | None = None

    def parse(self, text: str) -> int:
        """A time stamp, ms: an ISO date, with or without its dashes, or seconds, ms, µs or ns since 1970.

        Raises:
            ValueError: it is none, or written otherwise than those before it; without the place.
        """
        form, moment = _read(text, compact=self._form is not _Form.NUMBER)
        if self._form is None:
            self._form = form
        if form is not self._form:
            raise ValueError(f"is {form.value}, and those before it are each {self._form.value}; write all alike")
        return moment


def parse_number(text: str) -> float | None:
    """A number as tables write it: Python would take `1_000` for one, too."""
    if _NUMBER.fullmatch(text) or text.strip().lstrip("+-").lower() in _WORDS:
        return float(text)
    return None


def _read(text: str, *, compact: bool) -> tuple[_Form, int]:
    number = parse_number(text)
    if number is None:
        return _Form.ISO, _iso(text)
    date = _compact(text.strip()) if compact else None
    if date is not None:
        return _Form.COMPACT, date
    if not isfinite(number):
        raise ValueError("is no time")
    moment = number * 1_000 if abs(number) < _MS_FROM else number
    moment = moment / 1_000_000 if abs(number) >= _NS_FROM else moment / 1_000 if abs(number) >= _US_FROM else moment
    if abs(moment) > _LAST_MS:
        raise ValueError("is no time")
    return _Form.NUMBER, int(moment)


def _iso(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text.strip())
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)
    except (ValueError, OverflowError) as error:
        raise ValueError("is neither a date such as 2026-01-31 08:00 nor a number") from error


def _compact(text: str) -> int | None:
    """A date of digits alone; None where the digits are no date of these times."""
    layout = _COMPACT.get(len(text)) if text.isascii() and text.isdigit() else None
    if layout is None:
        return None
    try:
        moment = datetime.strptime(text, layout)
    except ValueError:
        return None
    return round(moment.replace(tzinfo=UTC).timestamp() * 1_000) if moment.year in _YEARS else None
