"""A table of texts with a column of labels for each task, any of which may be empty."""

from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from headrace.arrays import Ints
from headrace.errors import UsageError
from headrace.files.input import read_table
from trainer.multitask.tasks import MISSING, ClassTask, Task
from trainer.text.finetuning.splits import stratified_split
from trainer.text.labelled import Labelled

_TEXT: Final = "text"
_CARVED: Final = 0.1


class LabelTable(NamedTuple):
    """Texts, and for each task their labels, empty where it has none."""

    path: Path
    texts: list[str]
    labels: dict[str, list[str]]
    lines: list[int]  # where each text stands in the file


def table_tasks(train: Path, test: Path, seed: int) -> list[Task]:
    """A task for each column but `text`; a tenth of its labelled rows validates, each class in proportion.

    Raises:
        UsageError: a file is bad, the message names it and the line; or a column of one has too few labels.
    """
    trained, scored = _read(train), _read(test)
    for name in trained.labels:
        if name not in scored.labels:
            raise UsageError(f"{test}, line 1: column {name} is missing; it must have the columns of {train}")
    return [_task(name, trained, scored, seed) for name in trained.labels]


def _task(name: str, trained: LabelTable, scored: LabelTable, seed: int) -> Task:
    classes = sorted({label for label in trained.labels[name] if label})
    rows, test = (_numbered(table, name, classes) for table in (trained, scored))
    known, tested = np.flatnonzero(rows.label != MISSING), np.flatnonzero(test.label != MISSING)
    valid = known[stratified_split(rows.label[known], _CARVED, seed)[1]] if len(classes) > 1 else known[:0]
    if len(valid) == 0 or len(tested) == 0:
        raise UsageError(
            f"{trained.path}, column {name}: two classes are needed, one of them with 5 labels or more, "
            f"and one label in {scored.path}"
        )
    kept = np.setdiff1d(np.arange(len(rows.texts)), valid)
    return ClassTask(name, rows.rows(kept), rows.rows(valid), test.rows(tested))


def _numbered(table: LabelTable, name: str, classes: list[str]) -> Labelled:
    number = {label: i for i, label in enumerate(classes)} | {"": MISSING}
    for line, label in zip(table.lines, table.labels[name], strict=True):
        if label not in number:
            raise UsageError(f"{table.path}, line {line}: {name} {label!r} does not occur in training")
    found: Ints = np.array([number[label] for label in table.labels[name]], np.int64)
    return Labelled(table.texts, found, classes)


def _read(path: Path) -> LabelTable:
    header, rows = read_table(path)
    tasks = [name for name in header if name != _TEXT]
    if header.count(_TEXT) != 1 or not tasks or len(set(tasks)) < len(tasks):
        raise UsageError(f"{path}, line 1: columns {', '.join(header)}; needed are text and one for each task")
    table = LabelTable(path, [], {name: [] for name in tasks}, [])
    for line, fields in rows:
        row = dict(zip(header, (field.strip() for field in fields), strict=True))
        if not row[_TEXT]:
            raise UsageError(f"{path}, line {line}: text is missing")
        table.texts.append(row[_TEXT])
        table.lines.append(line)
        for name in tasks:
            table.labels[name].append(row[name])
    return table
