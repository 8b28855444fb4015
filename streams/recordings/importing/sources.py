"""Rows of a table in a file: `.csv`, `.csv.xz` and `.xlsx`, one at a time."""

import csv
import lzma
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO, cast
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from streams.errors import UsageError

Cell = str | int | float | datetime | None


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[Cell, ...]]:
    """Yield each row's cells in the order of `columns`, whatever their order in the file.

    Raises:
        UsageError: no such file, another kind of file, or a column is missing.
    """
    rows = _read_workbook(path) if path.suffix == ".xlsx" else _read_csv(path)
    try:
        header = [str(name).strip() for name in next(rows, ())]
        missing = [name for name in columns if name not in header]
        if missing:
            raise UsageError(f"{path} has no column {', '.join(missing)}: is it the right file?")
        places = [header.index(name) for name in columns]
        for row in rows:
            yield tuple(row[place] if place < len(row) else None for place in places)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except (EOFError, lzma.LZMAError, csv.Error, BadZipFile, InvalidFileException) as error:
        raise UsageError(f"cannot read {path}: {error}") from error


def _read_csv(path: Path) -> Iterator[Sequence[Cell]]:
    if not path.name.endswith((".csv", ".csv.xz")):
        raise UsageError(f"{path} is none of .csv, .csv.xz, .xlsx")
    opener = lzma.open if path.suffix == ".xz" else open
    # Some copies of the file are Latin-1: a damaged pound sign in a title is better than no stream.
    with opener(path, "rt", encoding="utf-8-sig", errors="replace", newline="") as text:
        yield from csv.reader(cast(TextIO, text))


def _read_workbook(path: Path) -> Iterator[Sequence[Cell]]:
    workbook = load_workbook(path, read_only=True, data_only=True)
    try:
        yield from workbook.worksheets[0].iter_rows(values_only=True)  # pyright: ignore[reportReturnType]
    finally:
        workbook.close()
