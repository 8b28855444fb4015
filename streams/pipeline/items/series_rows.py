"""Rows of the item pipeline in hand: what the store held, and what a batch makes of it."""

from typing import Final

from msgspec.structs import replace

from feature_repo.basics.fences import Fence
from feature_repo.basics.windows import Windows, number_at
from feature_repo.items import cold_windows as item_windows
from feature_repo.items import item, window_index
from feature_repo.items.item import ItemActivity
from feature_repo.items.scopes import is_scope, item_of, series_of
from feature_repo.items.window_index import ClosedWindow, WindowIndex
from feature_repo.store.row_store import Kind, RowWrite, StoredRow
from headrace.messages.internal import ItemImpression, ItemUpdate, Watermark
from streams.pipeline.rows.keys import index_key

_MAX_UNFLUSHED: Final = 512
"""Items stored beside the bulk of an index; with more of them the bulk is written anew."""


class ItemRow:
    """The row of an item, or of a category or the shop, while batches are folded into it."""

    __slots__ = (
        "_activity",
        "_cold_windows",
        "_expected",
        "_forecast_version",
        "_forecasts",
        "_seen",
        "fence",
        "key",
        "listed",
    )

    def __init__(self, key: str, stored: StoredRow) -> None:
        self.key = key
        self._expected = stored.fence
        self._seen = stored.seen
        self.fence = Fence(stored.fence)
        *catalogue, activity, self._cold_windows = stored.states
        self.listed = is_scope(key) or any(catalogue)
        """Whether the row has the item's record, or had it."""
        self._activity = item.unpack(activity)
        self._forecasts = b""
        self._forecast_version = ""

    @property
    def item_id(self) -> str:
        """Whose row it is, where it is an item's."""
        return item_of(self.key)

    def merged(self) -> ItemActivity:
        """The item's features, its cold windows merged."""
        item_windows.merge(self._activity, self._cold_windows)
        return self._activity

    def fold(self, origin: str, update: ItemUpdate, windows: Windows) -> bool:
        """Fold one item update; False where it is folded already."""
        if not self.fence.enter(origin, update.offset):
            return False
        older = number_at(update.timestamp, windows) < self._activity.settled
        item.fold(self.merged() if older else self._activity, update, windows)
        return True

    def fold_impression(self, origin: str, impression: ItemImpression, windows: Windows) -> None:
        """Fold one impression that showed the item, if it is not folded already."""
        if self.fence.enter(origin, impression.offset):
            item.fold_impression(self._activity, impression.timestamp, windows)

    def cache_forecasts(self, forecasts: bytes, version: str) -> None:
        """Keep what the scenario needs again of a version's forecasts: in memory alone, as long as this row is."""
        self._forecasts, self._forecast_version = forecasts, version

    def cached_forecasts(self, version: str) -> bytes:
        """What is kept of a version's forecasts; empty where nothing is, or another version made them."""
        return self._forecasts if self._forecast_version == version else b""

    def to_write(self, origin: str, offset: int, ttl_ms: int = 0) -> RowWrite:
        """The row as it is to be written; the batch's own place goes into the fence, so that it always moves.

        From now on it counts as written.

        Args:
            ttl_ms: as in `RowWrite`.
        """
        self.fence.advance(origin, offset)
        expected, self._expected = self._expected, self.fence.pack()
        cold_windows = item_windows.split_cold(self._activity, self._cold_windows)
        if cold_windows is not None:
            self._cold_windows = cold_windows
        states = item.pack(self._activity), cold_windows
        return RowWrite(
            kind=kind_of(self.key),
            key=stored_key(self.key),
            expected=expected,
            fence=self._expected,
            seen=self._seen,
            states=states if is_scope(self.key) else (None, *states),
            timestamp=self._activity.newest,
            ttl_ms=ttl_ms,
        )


class WindowIndexRow:
    """The index row of this partition of the pipeline, or that of one of its series.

    It names every item that sold lately, and is written with every batch: so most of it, the bulk, is left alone until
    a window closes or many items are news.
    """

    def __init__(self, partition: int, stored: StoredRow, series: str = "") -> None:
        self.key = index_key(partition, series)
        self.changed = False
        """Whether there is something to write beside the fence."""
        self._expected = stored.fence
        self.fence = Fence(stored.fence)
        marks, bulk = (window_index.unpack(state) for state in stored.states)
        self._unflushed = {window: set(items) for window, items in marks.pending.items()}
        self._bulk_is_stale = not marks.apart
        self.index: WindowIndex = window_index.merge(marks, bulk)

    def observe(self, source: int, update: ItemUpdate, windows: Windows) -> None:
        """Note an item update: which window of which item will be due."""
        window = window_index.observe(self.index, source, update, windows)
        if window is not None:
            self._unflushed.setdefault(window, set()).add(update.item_id)

    def observe_key(self, key: str, window: int) -> None:
        """Note that a key counted something in a window that is not closed: it will be due."""
        if window_index.observe_key(self.index, key, window):
            self._unflushed.setdefault(window, set()).add(key)
            self.changed = True

    def advance(
        self, source: int, watermark: Watermark, *, sources: int, windows: Windows, lateness_ms: int
    ) -> list[ClosedWindow]:
        """Take a source's watermark and close the windows that are now complete."""
        closed = self.index.closed
        closed_windows = window_index.advance(
            self.index, source, watermark, sources=sources, windows=windows, lateness_ms=lateness_ms
        )
        self._bulk_is_stale |= self.index.closed != closed
        return closed_windows

    def close(self, until: int, windows: Windows) -> list[ClosedWindow]:
        """Close the windows below number `until`."""
        closed = self.index.closed
        closed_windows = window_index.close(self.index, until, windows)
        if self.index.closed != closed:
            self._bulk_is_stale = self.changed = True
        return closed_windows

    def to_write(self, origin: str, offset: int) -> RowWrite:
        """The row as it is to be written; from now on it counts as written."""
        self.fence.advance(origin, offset)
        expected, self._expected = self._expected, self.fence.pack()
        self.changed = False
        bulk = None
        if self._bulk_is_stale or sum(map(len, self._unflushed.values())) > _MAX_UNFLUSHED:
            bulk = window_index.pack(WindowIndex(pending=self.index.pending, recent=self.index.recent))
            self._unflushed, self._bulk_is_stale = {}, False
        marks = window_index.pack(replace(self.index, pending=self._unflushed, recent={}, apart=True))
        return RowWrite(Kind.SHARD, self.key, expected, self._expected, b"", (marks, bulk), 0)


def kind_of(key: str) -> Kind:
    """Where a row lives: a scope is nothing that people know as an item, and an item's row has no room for series."""
    return Kind.SHARD if is_scope(key) or series_of(key) else Kind.ITEM


def stored_key(key: str) -> str:
    """The key of a row among those of its kind: an item's is its id, which its catalogue row has too."""
    return key if kind_of(key) is Kind.SHARD else item_of(key)
