"""`headrace import csv`: a shop's own exports as one recorded stream. A line is an event, or counted by a reason."""

import codecs
import csv
import io
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from msgspec import Struct, structs

from headrace.errors import UsageError
from headrace.files.input import open_input
from headrace.recording.writing import RecordingWriter
from headrace.settings.model import Settings
from streams.recordings import OnProgress, no_progress
from streams.recordings.importing.csv_items import ItemTable
from streams.recordings.importing.csv_map import CsvMap
from streams.recordings.importing.csv_rows import Dropped, Parsed, RowReader
from streams.recordings.outgoing import NewEvent, event_record, item_record

_REPORT_EVERY: Final = 2_000
_LONGEST_ID: Final = 128
_DELIMITERS: Final = ",;\t|"
_UNREADABLE: Final = ("unreadable_time", "unreadable_number", "wrong_width")
_MOST_UNREADABLE: Final = 0.1
"""Share of lines: with more, the map is of another file."""


class ImportedCsv(Struct, frozen=True, kw_only=True):
    """What was read and written; `events` and the lines dropped add up to `lines`.

    Attributes:
        dropped: reason → lines.
        examples: reason → the first of them.
    """

    lines: int
    events: int
    dropped: dict[str, int]
    examples: dict[str, str]
    items: int
    users: int
    out: str


class Export(NamedTuple):
    """A file and the map that it is read by."""

    path: Path
    columns: CsvMap


class _Kept:
    """What has been read so far."""

    def __init__(self) -> None:
        self.events: list[NewEvent] = []
        self.items = ItemTable()
        self.dropped: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.lines = 0
        self._files: Counter[str] = Counter()
        self._rows_of: Counter[str] = Counter()
        self._rows: set[tuple[str, int]] = set()

    def begin_file(self, path: Path) -> str:
        """A number for each of several files of one name, so that their rows' ids differ."""
        self._files[path.name] += 1
        return "" if self._files[path.name] == 1 else f"{self._files[path.name]}-"

    def drop(self, reason: str, where: str) -> None:
        self.dropped[reason] += 1
        self.examples.setdefault(reason, where)

    def unique_id(self, event_id: str, row: Sequence[str]) -> str:
        """An id that no other row has: an order's lines share its number.

        Raises:
            Dropped: the same row, word for word, has come under this id.
        """
        seal = event_id, hash(tuple(row))
        if seal in self._rows:
            raise Dropped("duplicate", f"the same row has come before as {event_id}")
        self._rows.add(seal)
        self._rows_of[event_id] += 1
        count = self._rows_of[event_id]
        found = event_id if count == 1 else f"{event_id}-{count}"
        if len(found) > _LONGEST_ID:
            raise Dropped("out_of_range", f"event id {event_id} is too long for one of several rows")
        return found


def import_csv(
    exports: Sequence[Export],
    out: Path,
    settings: Settings,
    *,
    since_ms: int = 0,
    until_ms: int = 1 << 62,
    on_progress: OnProgress = no_progress,
) -> ImportedCsv:
    """Write the events of all exports in order of time, and before them the items that they name.

    Args:
        exports: files, decompressed by their endings, each with its map.
        out: the recorded stream.
        settings: which events keep the contract.
        since_ms, until_ms: first moment to take in, and first to leave out.
        report: progress in lines.

    Raises:
        UsageError: a file cannot be read or has no such column, much of it cannot be understood, or it gives no event.
    """
    kept = _Kept()
    for export in exports:
        _read(export, kept, settings, (since_ms, until_ms), on_progress)
    if not kept.events:
        raise UsageError(f"{_named(exports)} gives no event: {_first(kept, kept.dropped)}")
    unreadable = {reason: kept.dropped[reason] for reason in _UNREADABLE if kept.dropped[reason]}
    if sum(unreadable.values()) > _MOST_UNREADABLE * kept.lines:
        raise UsageError(f"{_named(exports)}: {_first(kept, unreadable)}; is the map of this file?")
    kept.events.sort(key=lambda event: event.timestamp)
    items = kept.items.items(kept.events[0].timestamp)
    with RecordingWriter(out) as writer:
        for item in items:
            writer.write(item_record(item, kept.events[0].timestamp), trusted=True)
        for event in kept.events:
            writer.write(event_record(event), trusted=True)
    return ImportedCsv(
        lines=kept.lines,
        events=len(kept.events),
        dropped=dict(kept.dropped.most_common()),
        examples=kept.examples,
        items=len(items),
        users=len({event.user_id for event in kept.events}),
        out=str(out),
    )


def _read(export: Export, kept: _Kept, settings: Settings, period: tuple[int, int], on_progress: OnProgress) -> None:
    reader = RowReader(export.columns, settings, time.time_ns() // 1_000_000)
    stem = f"{export.path.name.partition('.')[0][:80]}-{kept.begin_file(export.path)}"
    header, rows = _open(export)
    for line, row in rows:
        kept.lines += 1
        where = f"{export.path}, line {line}"
        try:
            _take(kept, reader, _cells(header, row), row, f"{stem}{line}", period)
        except Dropped as dropped:
            kept.drop(dropped.reason, f"{where}: {dropped.detail}")
        if kept.lines % _REPORT_EVERY == 0:
            on_progress(kept.lines, 0)


def _take(
    kept: _Kept, reader: RowReader, cells: Mapping[str, str], row: Sequence[str], own_id: str, period: tuple[int, int]
) -> None:
    parsed: Parsed = reader.parse(cells, own_id)
    event = parsed.event
    if not period[0] <= event.timestamp < period[1]:
        raise Dropped("outside_period", "before --since or after --until")
    if event.event_id != own_id:
        event = structs.replace(event, event_id=kept.unique_id(event.event_id, row))
    kept.events.append(event)
    kept.items.note(event, parsed.item, reader.categories)


def _cells(header: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    if len(row) != len(header):
        raise Dropped("wrong_width", f"{len(row)} fields, the header has {len(header)}")
    return {name: cell.strip() for name, cell in zip(header, row, strict=True)}


def _open(export: Export) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header, checked, and the rows with their lines."""
    rows = _rows(export)
    _, header = next(rows, (0, []))
    header = [name.strip() for name in header]
    if missing := [name for name in export.columns.all_columns() if name not in header]:
        has = ", ".join(header) or "nothing"
        raise UsageError(f"{export.path} has no column {', '.join(missing)}: its first line has {has}")
    return header, rows


def _rows(export: Export) -> Iterator[tuple[int, list[str]]]:
    form = export.columns.file
    with open_input(export.path) as file:
        text = io.TextIOWrapper(file, encoding=_encoding(form.encoding), newline="")
        try:
            first = text.readline()
            delimiter = form.delimiter or max(_DELIMITERS, key=first.count)
            reader = csv.reader(_again(first, text), delimiter=delimiter)
            line = 1
            for row in reader:
                if any(cell.strip() for cell in row):
                    yield line, row
                line = reader.line_num + 1
        except UnicodeDecodeError as error:
            raise UsageError(f"{export.path} is no {form.encoding}: name its encoding, such as cp1252") from error
        except csv.Error as error:
            raise UsageError(f"{export.path}: {error}; is a quote open?") from error


def _again(first: str, rest: "io.TextIOWrapper") -> Iterator[str]:
    yield first
    yield from rest


def _encoding(name: str) -> str:
    """A byte-order mark is no part of the first column's name."""
    return "utf-8-sig" if codecs.lookup(name).name == "utf-8" else name


def _named(exports: Sequence[Export]) -> str:
    return ", ".join(str(export.path) for export in exports)


def _first(kept: _Kept, reasons: Mapping[str, int]) -> str:
    """The most common of some reasons, with its first line."""
    if not reasons:
        return "it has no line below its header"
    reason = max(reasons, key=lambda one: reasons[one])
    return (
        f"{sum(reasons.values()):,} of {kept.lines:,} lines are dropped, the first as {reason}: {kept.examples[reason]}"
    )
