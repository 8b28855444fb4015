"""The part of a batch from one partition: its messages folded into rows, and the windows that they close."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from feature_repo.basics.windows import Windows, number_at
from feature_repo.items import window_index
from feature_repo.items.keys import keyed
from feature_repo.items.scopes import is_scope, series_key
from feature_repo.items.window_index import ClosedWindow
from headrace.messages.internal import ItemImpression, ItemUpdate, ItemUpdateBatch, SeriesUpdate, Watermark
from streams.kafka.transport import PartitionBatch
from streams.operations import metrics
from streams.pipeline.items.series_rows import WindowIndexRow
from streams.pipeline.shoppers.decode import Rejected

ITEMS = ""
"""In place of a series' name: the windows in which items were sold."""


class WindowRules(NamedTuple):
    """When windows close.

    Attributes:
        sources: partitions of `events`.
        lateness: how late an event may come, ms.
    """

    windows: Windows
    lateness: int
    sources: int


class Part:
    """The part of a batch from one partition, its messages decoded, and what becomes of them.

    Args:
        indexes: the window index of the partition, and those of its series by name.
        rejected: the records that are no item update batches.

    Attributes:
        folded: updates of items that are new.
        closed_windows: by series, in order.
        keys: rows it changes: of its own partition, so no other part's.
    """

    def __init__(
        self,
        batch: PartitionBatch,
        indexes: tuple[WindowIndexRow, Mapping[str, WindowIndexRow]],
        batches: Sequence[ItemUpdateBatch],
        rejected: Sequence[Rejected],
    ) -> None:
        self.origin = f"{batch.topic}/{batch.partition}"
        self.topic = batch.topic
        self.partition = batch.partition
        self.last_offset = batch.last_offset
        self.index, self.series = indexes
        self.batches = [keyed(batch) for batch in batches]
        self.rejected = rejected
        self.folded: list[ItemUpdate] = []
        self.closed_windows: dict[str, list[ClosedWindow]] = {name: [] for name in (ITEMS, *self.series)}
        self.keys = set(self._named())

    def index_of(self, series: str) -> WindowIndexRow:
        """The window index of a series."""
        return self.index if series == ITEMS else self.series[series]

    def fold(self, batch: ItemUpdateBatch, rows: Mapping[str, Any], rules: WindowRules) -> None:
        """Fold what is new of one message; every window that a watermark closes is noted, in order.

        Args:
            rows: of all keys.
        """
        windows = rules.windows
        for entry in batch.entries:
            if isinstance(entry, ItemUpdate):
                if rows[entry.item_id].fold(batch.origin, entry, windows):
                    self.index.observe(batch.source, entry, windows)
                    if not is_scope(entry.item_id):  # what counts for a scope is counted once, with its item
                        self.folded.append(entry)
            elif isinstance(entry, ItemImpression):
                window_index.mark_active(self.index.index, batch.source)
                for item_id in entry.items:
                    rows[item_id].fold_impression(batch.origin, entry, windows)
            elif isinstance(entry, SeriesUpdate):
                self._fold_counts(batch, entry, rows, windows)
            else:
                self._advance(batch.source, entry, rules)

    def finish(self) -> None:
        """Note the rows of closed windows, when all messages are folded."""
        for series, closed_windows in self.closed_windows.items():
            self.keys.update(row_key(series, closed.item_id) for closed in closed_windows)
        metrics.LATE_UPDATES.inc(sum(update.late for update in self.folded))

    def _fold_counts(
        self, batch: ItemUpdateBatch, update: SeriesUpdate, rows: Mapping[str, Any], windows: Windows
    ) -> None:
        window_index.mark_active(self.index.index, batch.source)
        row = rows.get(series_key(update.series, update.key))
        if row is None or len(update.counts) != len(row.series.columns):
            metrics.SERIES_UPDATES_SKIPPED.labels(update.series if row is not None else "other").inc()
            return
        index = self.series[update.series]
        if row.fold(batch.origin, update, windows, index.index.closed):
            index.observe_key(update.key, number_at(update.timestamp, windows))

    def _advance(self, source: int, watermark: Watermark, rules: WindowRules) -> None:
        windows, lateness, sources = rules
        closed = self.index.advance(source, watermark, sources=sources, windows=windows, lateness_ms=lateness)
        self.closed_windows[ITEMS] += closed
        if len(self.index.index.sources) >= sources:
            until = number_at(window_index.low(self.index.index) - lateness, windows)
            for name, index in self.series.items():
                self.closed_windows[name] += index.close(until, windows)
        metrics.WATERMARK.labels(source).set(watermark.time)

    def _named(self) -> Iterator[str]:
        """The row of every key that something is counted of."""
        for batch in self.batches:
            for entry in batch.entries:
                if isinstance(entry, ItemUpdate):
                    yield entry.item_id
                elif isinstance(entry, ItemImpression):
                    yield from entry.items
                elif isinstance(entry, SeriesUpdate) and entry.series in self.series:
                    yield series_key(entry.series, entry.key)


def row_key(series: str, key: str) -> str:
    """The key of the row in which a series counts a key."""
    return key if series == ITEMS else series_key(series, key)
