"""A classification task: rows to learn from, rows that decide, rows that only score."""

from pathlib import Path
from typing import Final, NamedTuple

from headrace.errors import UsageError
from trainer.text.finetuning.splits import stratified_split
from trainer.text.labelled import Labelled, read_clinc, read_labelled

_CARVED: Final = 0.1

#: Where the public sets lie under HEADRACE_DATA.
PUBLIC: Final = {
    "banking77": ("support/banking77/train.csv", None, "support/banking77/test.csv"),
    "clinc150": ("support/clinc150/data_full.json", None, None),
    "sst2": ("sentiment/stsa.binary.train", "sentiment/stsa.binary.dev", "sentiment/stsa.binary.test"),
}


class Outliers(NamedTuple):
    """Texts of no class: those that choose a score, and those that it is measured on."""

    valid: list[str]
    test: list[str]


class Task(NamedTuple):
    """A task's rows."""

    train: Labelled
    valid: Labelled
    test: Labelled
    carved: bool  # whether `valid` was carved from the training file, and may go back into it for a last fit
    outliers: Outliers | None = None


def read_task(train: Path, valid: Path | None, test: Path | None, seed: int) -> Task:
    """Read a task's files: CSV, `label text` lines, or all of CLINC150 in one JSON file.

    Args:
        valid: None carves a tenth of the training rows, each class in proportion.

    Raises:
        UsageError: a file is bad; the message names it and the line.
    """
    if train.suffix == ".json":
        found = read_clinc(train)
        return Task(found.train, found.valid, found.test, False, Outliers(found.oos_valid, found.oos_test))
    if test is None:
        raise UsageError(f"--train {train}: --test is needed with it")
    rows = read_labelled(train)
    scored = read_labelled(test, rows.classes)
    if valid is not None:
        return Task(rows, read_labelled(valid, rows.classes), scored, False)
    kept, held_back = stratified_split(rows.label, _CARVED, seed)
    if len(held_back) == 0:
        raise UsageError(f"{train}: too few texts of each class to hold a tenth back; use `headrace finetune few-shot`")
    return Task(rows.rows(kept), rows.rows(held_back), scored, True)


def public_task(name: str, data: Path, seed: int) -> Task:
    """One of the public sets.

    Raises:
        UsageError: there is no such set, or its files are missing.
    """
    if name not in PUBLIC:
        raise UsageError(f"--task {name}: it must be one of {', '.join(PUBLIC)}")
    train, valid, test = (None if part is None else data / part for part in PUBLIC[name])
    if train is None or not train.exists():
        raise UsageError(f"--task {name}: {train} is missing; set HEADRACE_DATA to the folder of the public data sets")
    return read_task(train, valid, test, seed)


def thinned(task: Task, rows: int, seed: int) -> Task:
    """The task with so many training rows at most, each class in proportion."""
    if rows >= len(task.train.texts):
        return task
    chosen = stratified_split(task.train.label, rows / len(task.train.texts), seed)[1]
    return task._replace(train=task.train.rows(chosen))
