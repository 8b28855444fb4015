"""Rows as they stood after each event, in the Parquet that Feast's `get_historical_features` joins on.

A row's time is that of the newest event folded into it, so that a late event never tells the past; `created` counts the
folds, so that of two rows of one time the later stands. An impression is scored before it is folded: for its features
ask one millisecond before its time. Feast's file store leaves out what is asked about a time before an entity's first
row: such a shopper is a newcomer.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq

from feature_repo.offline.fold import Changed, StreamFold
from feature_repo.registry.sources import CREATED, EVENT_TIMESTAMP, parquet_path
from feature_repo.store.layout import FEATURE, JOIN_KEY, VIEWS, Kind
from headrace.files.atomic import output_file
from headrace.recording.reading import Record
from headrace.settings.model import Settings

_ROWS_AT_ONCE: Final = 5_000
_HOUR_MS: Final = 3_600_000


class ViewFile:
    """The Parquet file of one view, written a few thousand rows at a time."""

    def __init__(self, kind: Kind, view: str, out: BinaryIO) -> None:
        time = pa.timestamp("us", tz="UTC")
        fields = [(JOIN_KEY[kind], pa.string()), (EVENT_TIMESTAMP, time), (CREATED, time), (FEATURE[view], pa.binary())]
        self._schema = pa.schema(fields)
        self._writer = pq.ParquetWriter(out, self._schema, compression="zstd")
        self._rows: list[tuple[str, int, int, bytes]] = []
        self._written = 0

    def add(self, key: str, time_ms: int, state: bytes) -> None:
        """Add one row."""
        self._rows.append((key, time_ms * 1_000, self._written, state))
        self._written += 1
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._flush()

    def close(self) -> int:
        """Finish the file; returns its rows."""
        self._flush()
        self._writer.close()
        return self._written

    def _flush(self) -> None:
        if self._rows:
            columns = [pa.array(c, f.type) for c, f in zip(zip(*self._rows, strict=True), self._schema, strict=True)]
            self._writer.write_table(pa.table(columns, schema=self._schema))
            self._rows = []


def write_point_in_time(records: Iterable[Record], settings: Settings, arrived_ms: int) -> dict[str, int]:
    """Fold a stream and write every view's Parquet under HEADRACE_HOME; returns view → rows.

    Of an item's counters, which change with every impression, a row is written once an hour of event time: the first
    state in it.
    """
    parquet_path(settings.home, "shopper").parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        files = {
            view: ViewFile(kind, view, stack.enter_context(output_file(parquet_path(settings.home, view))))
            for kind in (Kind.USER, Kind.ITEM)
            for view in VIEWS[kind]
        }
        fold = StreamFold(settings, arrived_ms)
        hours: dict[str, int] = {}
        for record in records:
            for changed in fold.fold(record):
                if _is_due(changed, hours):
                    files[changed.view].add(changed.key, changed.time, fold.packed(changed.view, changed.key))
        return {view: file.close() for view, file in files.items()}


def _is_due(changed: Changed, hours: dict[str, int]) -> bool:
    if changed.view != "item_activity":
        return True
    hour = changed.time // _HOUR_MS
    if hours.get(changed.key) == hour:
        return False
    hours[changed.key] = hour
    return True
