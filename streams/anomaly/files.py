"""Score a CSV file of readings, line by line."""

import csv
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from math import isfinite, nan
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from streams.anomaly.series import SeriesDetector
from streams.errors import UsageError

_MS_FROM = 1e11
"""A number of this size is milliseconds since 1970: as seconds it would lie past the year 5000."""


class Scored(Struct):
    """What a file held.

    Attributes:
        repeated: rows whose time stamp is not after the one before; taken in the file's order.
        no_number: rows without a finite value, scored 0.
        first_oddity: line of the first such row; 0 when there is none.
        highest: the largest score.
    """

    rows: int = 0
    repeated: int = 0
    no_number: int = 0
    first_oddity: int = 0
    highest: float = 0.0


def score_file(source: Path, target: Path, report: Callable[[int, int], None]) -> Scored:
    """Write `timestamp,value,anomaly_score`: the source's rows as they were, each scored from those before it.

    Raises:
        UsageError: a file that cannot be read or written, a missing column, a time stamp or value that is neither
            number nor date; names file and line.
    """
    try:
        with (
            source.open(encoding="utf-8-sig", newline="") as rows,
            target.open("w", encoding="utf-8", newline="") as out,
        ):
            return _score(source, rows, out, report)
    except UnicodeDecodeError as error:
        raise UsageError(f"{source}: no UTF-8 text") from error
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from error


def _score(source: Path, rows: TextIO, out: TextIO, report: Callable[[int, int], None]) -> Scored:
    detector, found = SeriesDetector(), Scored()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("timestamp", "value", "anomaly_score"))
    before: int | None = None
    for line, stamp, text in _readings(source, csv.reader(rows)):
        moment, value = _moment(source, line, stamp), _value(source, line, text)
        score = detector.score(moment, value)
        writer.writerow((stamp, text, f"{score:.12g}"))
        odd = _count_oddities(found, value, repeated=before is not None and moment <= before)
        if odd and not found.first_oddity:
            found.first_oddity = line
        before = moment
        found.rows += 1
        found.highest = max(found.highest, score)
        if found.rows % 1_000 == 0:
            report(found.rows, 0)
    return found


def _count_oddities(found: Scored, value: float, *, repeated: bool) -> bool:
    no_number = not isfinite(value)
    found.repeated += repeated
    found.no_number += no_number
    return repeated or no_number


def _readings(source: Path, rows: Iterable[list[str]]) -> Iterator[tuple[int, str, str]]:
    """Line, time stamp and value of every row."""
    lines = iter(enumerate(rows, 1))
    header = [name.strip() for name in next(lines, (1, []))[1]]
    for column in ("timestamp", "value"):
        if column not in header:
            raise UsageError(f"{source}, line 1: no column {column!r}; there are: {', '.join(header) or 'none'}")
    stamp, value = header.index("timestamp"), header.index("value")
    for line, row in lines:
        if not row:
            continue
        if len(row) <= max(stamp, value):
            raise UsageError(f"{source}, line {line}: {len(row)} columns where the header has {len(header)}")
        yield line, row[stamp], row[value]


def _moment(source: Path, line: int, text: str) -> int:
    """A time stamp, ms: an ISO date, or seconds or milliseconds since 1970."""
    number = _number(text)
    if number is not None:
        if not isfinite(number):
            raise UsageError(f"{source}, line {line}: timestamp {text!r} is no time")
        return int(number if abs(number) >= _MS_FROM else number * 1_000)
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{source}, line {line}: timestamp {text!r} is neither a date nor a number") from error
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1_000)


def _value(source: Path, line: int, text: str) -> float:
    """A reading; an empty cell is a missing one."""
    number = _number(text) if text.strip() else nan
    if number is None:
        raise UsageError(f"{source}, line {line}: value {text!r} is no number")
    return number


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
