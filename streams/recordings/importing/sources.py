"""Rows of a table in a file: `.csv`, `.csv.xz` and `.xlsx`, one at a time."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from openpyxl import load_workbook

from headrace.errors import UsageError
from headrace.files.input import read_table

Cell = str | int | float | datetime | None


def read_columns(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, tuple[Cell, ...]]]:
    """Yield each row's line and its cells in the order of `columns`, whatever their order in the file.

    Raises:
        UsageError: no such file, another kind of file, a damaged one, or a column is missing.
    """
    header, rows = _read_workbook(path) if path.suffix == ".xlsx" else _read_csv(path)
    missing = [name for name in columns if name not in header]
    if missing:
        raise UsageError(f"{path} has no column {', '.join(missing)}: is it the right file?")
    places = [header.index(name) for name in columns]
    for line, row in rows:
        yield line, tuple(row[place] if place < len(row) else None for place in places)


def _read_csv(path: Path) -> tuple[list[str], Iterator[tuple[int, Sequence[Cell]]]]:
    if not path.name.endswith((".csv", ".csv.xz")):
        raise UsageError(f"{path} is none of .csv, .csv.xz, .xlsx")
    # Some copies of the file are in Windows' western code page.
    return read_table(path, latin=True)


def _read_workbook(path: Path) -> tuple[list[str], Iterator[tuple[int, Sequence[Cell]]]]:
    rows = _workbook_rows(path)
    _, header = next(rows, (1, ()))
    return [str(name).strip() for name in header], rows


def _workbook_rows(path: Path) -> Iterator[tuple[int, Sequence[Cell]]]:
    try:
        with path.open("rb") as file:
            workbook = load_workbook(file, read_only=True, data_only=True)
            try:
                yield from enumerate(workbook.worksheets[0].iter_rows(values_only=True), 1)  # pyright: ignore[reportReturnType]
            finally:
                workbook.close()
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except Exception as error:  # whatever the library makes of a file that is damaged or no workbook
        raise UsageError(f"cannot read {path}: {str(error) or type(error).__name__}; is it an .xlsx?") from error
