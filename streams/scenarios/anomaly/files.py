"""Score a CSV file of readings, line by line."""

import csv
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from math import isfinite, isinf, nan
from pathlib import Path
from typing import TextIO

from msgspec import Struct

from headrace.errors import UsageError
from headrace.files.atomic import output_file
from headrace.files.input import read_table
from streams.scenarios.anomaly.series import SeriesDetector
from streams.scenarios.anomaly.stamps import Stamps, parse_number


class Scored(Struct):
    """What a file held.

    Attributes:
        repeated: rows whose time stamp is not after the one before; taken in the file's order.
        no_number: rows without a value, scored 0.
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
    with output_file(target) as file:
        out = TextIOWrapper(file, encoding="utf-8", newline="")
        found = _score(source, out, report)
        out.detach()
    return found


def _score(source: Path, out: TextIO, report: Callable[[int, int], None]) -> Scored:
    detector, stamps, found = SeriesDetector(), Stamps(), Scored()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("timestamp", "value", "anomaly_score"))
    before: int | None = None
    for line, stamp, text in _readings(source):
        moment, value = _moment(stamps, source, line, stamp), _value(source, line, text)
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


def _moment(stamps: Stamps, source: Path, line: int, text: str) -> int:
    try:
        return stamps.parse(text)
    except ValueError as error:
        raise UsageError(f"{source}, line {line}: timestamp {text!r} {error}") from error


def _readings(source: Path) -> Iterator[tuple[int, str, str]]:
    """Line, time stamp and value of every row."""
    header, rows = read_table(source)
    for column in ("timestamp", "value"):
        if column not in header:
            raise UsageError(f"{source}, line 1: no column {column!r}; there are: {', '.join(header)}")
    stamp, value = header.index("timestamp"), header.index("value")
    for line, row in rows:
        yield line, row[stamp], row[value]


def _value(source: Path, line: int, text: str) -> float:
    """A reading; an empty cell and NaN are a missing one."""
    number = parse_number(text) if text.strip() else nan
    if number is None:
        raise UsageError(f"{source}, line {line}: value {text!r} is no number")
    if isinf(number):
        raise UsageError(f"{source}, line {line}: value {text!r} is not finite; leave the cell empty")
    return number
