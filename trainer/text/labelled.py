"""Labelled texts: what a task is learnt from and scored on, and the file formats that it comes in."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import numpy as np

from headrace.arrays import Ints
from headrace.errors import UsageError
from headrace.files.input import read_table, text_lines

OUTLIER: Final = "oos"
"""CLINC150's name for texts that belong to no class."""


class Labelled(NamedTuple):
    """Texts, and the index of each one's class in `classes`."""

    texts: list[str]
    label: Ints
    classes: list[str]

    def rows(self, chosen: Ints) -> "Labelled":
        """Only the chosen rows."""
        return Labelled([self.texts[i] for i in chosen], self.label[chosen], self.classes)

    def __add__(self, other: object) -> "Labelled":
        """These rows and then those of another set of the same classes."""
        if not isinstance(other, Labelled):
            return NotImplemented
        return Labelled(self.texts + other.texts, np.concatenate([self.label, other.label]), self.classes)


class Row(NamedTuple):
    """A text, its class, and where in the file it stands."""

    text: str
    label: str
    where: str


def read_labelled(path: Path, classes: list[str] | None = None) -> Labelled:
    """Read `text,label` CSV (the second column may be `label`, `category` or `intent`) or `label text` lines.

    Args:
        path: `.csv` is CSV; anything else has a label, a space and a text a line.
        classes: those allowed, such as the training file's; None takes the file's own, sorted.

    Raises:
        UsageError: the file is missing, empty or not UTF-8, a line breaks the format, or a label is not allowed.
    """
    return label_rows(path, list(_csv_rows(path) if path.suffix == ".csv" else _plain_rows(path)), classes)


def label_rows(path: Path, rows: list[Row], classes: list[str] | None) -> Labelled:
    """Give labels their numbers.

    Raises:
        UsageError: no rows, a label that is not among the classes, or a single class.
    """
    if not rows:
        raise UsageError(f"{path}: it holds no labelled text")
    known = sorted({row.label for row in rows}) if classes is None else classes
    if len(known) < 2:
        raise UsageError(f"{path}: every text has the label {known[0]!r}; two classes or more are needed")
    number = {name: i for i, name in enumerate(known)}
    for row in rows:
        if row.label not in number:
            raise UsageError(f"{path}, {row.where}: label {row.label!r} does not occur in training")
    return Labelled([row.text for row in rows], np.array([number[row.label] for row in rows], np.int64), known)


class Clinc(NamedTuple):
    """CLINC150: in-scope texts, and texts of no class for validation and test."""

    train: Labelled
    valid: Labelled
    test: Labelled
    oos_valid: list[str]
    oos_test: list[str]


def read_clinc(path: Path) -> Clinc:
    """Read CLINC150's JSON: `train`, `val`, `test`, `oos_val`, `oos_test`, each a list of [text, label].

    Raises:
        UsageError: the file is no such JSON, or a test label does not occur in training.
    """
    try:
        parts: Any = json.loads("\n".join(read_lines(path)))
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}, line {error.lineno}: not JSON: {error.msg}") from error
    train = label_rows(path, _clinc_rows(path, parts, "train"), None)
    valid, test = (label_rows(path, _clinc_rows(path, parts, part), train.classes) for part in ("val", "test"))
    outliers = [[row.text for row in _clinc_rows(path, parts, part)] for part in ("oos_val", "oos_test")]
    return Clinc(train, valid, test, *outliers)


def read_lines(path: Path) -> list[str]:
    """The lines of a UTF-8 file, without their ends.

    Raises:
        UsageError: it is missing, empty or not UTF-8.
    """
    # Not splitlines: it also cuts at characters that may stand inside a text.
    lines = [line.removesuffix("\n").removesuffix("\r") for line in text_lines(path)]
    if not any(line.strip() for line in lines):
        raise UsageError(f"{path}: the file is empty")
    return lines


def _csv_rows(path: Path) -> Iterator[Row]:
    table = read_table(path)
    header = [name.lower() for name in table.header]
    label = next((name for name in ("label", "category", "intent") if name in header), None)
    if "text" not in header or label is None:
        raise UsageError(
            f"{path}, line 1: columns {', '.join(header)}; needed are text and label (or category, intent)"
        )
    at_text, at_label = header.index("text"), header.index(label)
    for line, fields in table.rows:
        yield _row(path, fields[at_text], fields[at_label], f"line {line}")


def _plain_rows(path: Path) -> list[Row]:
    lines = [(number, line.strip()) for number, line in enumerate(read_lines(path), 1)]
    rows = [_plain_row(path, line, number) for number, line in lines if line]
    found = {int(row.label) for row in rows}
    for row in rows:
        if int(row.label) >= len(found):
            missing = min(set(range(len(found))) - found)
            raise UsageError(f"{path}, {row.where}: label {row.label}, but none is {missing}; labels count from 0 on")
    return rows


def _plain_row(path: Path, line: str, number: int) -> Row:
    label, _, text = line.partition(" ")
    if not label.isdecimal():
        raise UsageError(f"{path}, line {number}: {label!r} is no label; a line is a whole number, a space and a text")
    return _row(path, text, str(int(label)), f"line {number}")


def _clinc_rows(path: Path, parts: Any, part: str) -> list[Row]:
    if not isinstance(parts, dict) or part not in parts:
        raise UsageError(f"{path}: no part {part!r}; CLINC150 has train, val, test, oos_val and oos_test")
    return [_clinc_row(path, part, number, pair) for number, pair in enumerate(cast(Iterable[Any], parts[part]), 1)]


def _clinc_row(path: Path, part: str, number: int, pair: Any) -> Row:
    match pair:
        case [str(text), str(label)]:
            return _row(path, text, label, f"{part}, entry {number}")
        case _:
            raise UsageError(f"{path}, {part}, entry {number}: {pair!r} is not a [text, label] pair")


def _row(path: Path, text: str, label: str, where: str) -> Row:
    if not text.strip() or not label.strip():
        raise UsageError(f"{path}, {where}: {'text' if label.strip() else 'label'} is missing")
    return Row(text.strip(), label.strip(), where)
