"""Dates as exports write them. Whether 01/12/2010 is in January or in December is decided for a whole column."""

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final

from headrace.errors import UsageError

_PARTS: Final = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?", re.ASCII)
_MONTHS: Final = 12


class DateOrder(StrEnum):
    """What comes first where a date is written with the year last."""

    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


class Dates:
    """Reads the dates of one column.

    Args:
        told: the order, where the user says so.
        column: every text of the column, read again when the order has to be found.
    """

    def __init__(self, given: DateOrder | None, column: Callable[[], Iterable[tuple[int, str]]]) -> None:
        self._order = cache(lambda: given or order_of(column()))
        self.parse = lru_cache(maxsize=4_096)(self._parse)

    def _parse(self, text: str) -> datetime:
        """A date and time.

        Raises:
            ValueError: it is none.
            UsageError: what the day is and what the month stands nowhere in the column.
        """
        found = _PARTS.fullmatch(text)
        if found is None:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is not None or not text[:5].endswith("-"):
                raise ValueError(text)
            return moment
        first, second, year, hour, minute, seconds = (int(part or 0) for part in found.groups())
        day, month = (first, second) if self._order() is DateOrder.DAY_FIRST else (second, first)
        return datetime(year, month, day, hour, minute, seconds)


def order_of(column: Iterable[tuple[int, str]]) -> DateOrder:
    """The order that a column's dates are written in, each with its line.

    Raises:
        UsageError: none of them tells, or some tell another than others.
    """
    evidence: dict[DateOrder, tuple[int, str]] = {}
    example = ""
    for line, text in column:
        found = _PARTS.fullmatch(text)
        if found is None:
            continue
        example = example or text
        for order, number in ((DateOrder.DAY_FIRST, found[1]), (DateOrder.MONTH_FIRST, found[2])):
            if int(number) > _MONTHS:
                evidence.setdefault(order, (line, text))
    if len(evidence) == 1:
        return next(iter(evidence))
    if not evidence:
        raise UsageError(
            f"nothing in the file tells which of {example!r} is the month: say --dates day-first or month-first"
        )
    (day_line, day), (month_line, month) = evidence[DateOrder.DAY_FIRST], evidence[DateOrder.MONTH_FIRST]
    raise UsageError(
        f"line {day_line} puts the day first ({day}), line {month_line} the month ({month}): "
        "write all alike, best as 2010-12-31 08:26"
    )
