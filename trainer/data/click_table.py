"""A file of shown items and whether they were clicked: CSV, one impression a line.

Columns are kept as codes into their distinct values, so that a million rows of tens of columns fit in little memory.
"""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from headrace.arrays import Floats, Int32s, Ints
from headrace.errors import UsageError
from headrace.files.input import csv_rows, read_table
from trainer.data.cells import parse_numbers

_LABELS: Final = {"0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0, "false": 0.0, "true": 1.0}


class Column(NamedTuple):
    """M cells as codes into V distinct values."""

    code: Int32s  # [M]
    values: list[str]  # [V]
    numbers: NDArray[np.float64]  # [V]  NaN for a value that is no number

    @classmethod
    def of(cls, code: Int32s, values: list[str]) -> "Column":
        """Read the values as numbers, too: each once, however often it stands there."""
        return cls(code, values, parse_numbers(values))


class ClickTable(NamedTuple):
    """Impressions in file order: context columns by name, user and item among them, and the label."""

    columns: dict[str, Column]
    clicked: Floats  # [M]  0 or 1
    rows: list[int]  # of each file

    def pick(self, rows: "slice | Ints") -> "ClickTable":
        """Some of the impressions."""
        columns = {name: column._replace(code=column.code[rows]) for name, column in self.columns.items()}
        clicked = self.clicked[rows]
        return ClickTable(columns, clicked, [len(clicked)])


def read_click_tables(paths: Sequence[Path], label: str, user: str, item: str) -> ClickTable:
    """Read files of the same columns as one table, one file after the other.

    Raises:
        UsageError: a file cannot be read, lacks a column or holds no row, a line is broken, or a label is not 0 or 1.
    """
    header = read_header(paths[0])
    require_columns(paths[0], header, [label, user, item])
    tables = [_read(path, header) for path in paths]
    clicked = np.concatenate([_labels(path, table, label) for path, table in zip(paths, tables, strict=True)])
    whole = pa.concat_tables(tables).unify_dictionaries().combine_chunks()
    columns = {name: _column(whole, name) for name in header if name != label}
    return ClickTable(columns, clicked, [table.num_rows for table in tables])


def read_like(path: Path, known: ClickTable, label: str) -> ClickTable:
    """Read a file that has the columns of a table; other columns are ignored.

    Raises:
        UsageError: as `read_click_tables`.
    """
    table = _read(path, [*known.columns, label])
    columns = {name: _column(table, name) for name in known.columns}
    return ClickTable(columns, _labels(path, table, label), [table.num_rows])


def read_header(path: Path) -> list[str]:
    """The names of a file's columns.

    Raises:
        UsageError: the file cannot be read, is empty, or names a column twice.
    """
    header = next(csv_rows(path), (1, []))[1]
    if not header:
        raise UsageError(f"{path}, line 1: the file is empty; it needs a header and a line for each impression")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UsageError(f"{path}, line 1: the column {', '.join(twice)} stands there twice; rename one")
    return header


def require_columns(path: Path, header: Sequence[str], wanted: Sequence[str]) -> None:
    """Check that a file has all columns that it must have.

    Raises:
        UsageError: one is missing.
    """
    missing = [name for name in wanted if name not in header]
    if missing:
        raise UsageError(f"{path}, line 1: no column {', '.join(missing)}; there are {', '.join(header)}")


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    header = read_header(path)
    require_columns(path, header, columns)
    convert = arrow_csv.ConvertOptions(
        column_types={name: pa.dictionary(pa.int32(), pa.string()) for name in columns},
        include_columns=list(columns),
        strings_can_be_null=False,
    )
    parse = arrow_csv.ParseOptions(newlines_in_values=True)
    try:
        table = arrow_csv.read_csv(path, convert_options=convert, parse_options=parse)
        table = table.unify_dictionaries().combine_chunks()
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        _find_what_is_wrong(path)
        raise UsageError(f"cannot read {path}: {str(error).splitlines()[0]}") from error
    if _holds_line_ends(table):  # a quote that is never closed takes in all lines after it, in silence
        _find_what_is_wrong(path)
    if table.num_rows == 0:
        raise UsageError(f"{path}, line 2: no impression after the header")
    return table


def _find_what_is_wrong(path: Path) -> None:
    """Read the file again, slowly.

    Raises:
        UsageError: names the line of what is found.
    """
    for _ in read_table(path).rows:
        pass


def _holds_line_ends(table: pa.Table) -> bool:
    columns = (table.column(name).chunks[0].dictionary for name in table.column_names if table.num_rows)
    return any("\n" in value for values in columns for value in values.to_pylist())


def _column(table: pa.Table, name: str) -> Column:
    batches = table.column(name).chunks
    codes = [batch.indices.to_numpy(zero_copy_only=False) for batch in batches]
    return Column.of(np.concatenate(codes).astype(np.int32), cast(list[str], batches[0].dictionary.to_pylist()))


def _labels(path: Path, table: pa.Table, label: str) -> NDArray[np.float32]:
    column = _column(table, label)
    meaning = np.array([_LABELS.get(value.strip().lower(), np.nan) for value in column.values], np.float32)
    clicked = meaning[column.code]
    wrong = np.flatnonzero(np.isnan(clicked))
    if len(wrong):
        line, value = _line_of_row(path, int(wrong[0])), column.values[column.code[wrong[0]]]
        raise UsageError(f"{path}, line {line}: {label} is {value!r}; it must be 0 or 1")
    return clicked


def _line_of_row(path: Path, row: int) -> int:
    """The line on which a row begins, cells with line breaks and empty lines counted."""
    return next(islice(csv_rows(path), row + 1, None))[0]
