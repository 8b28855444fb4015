"""Rows of the items' road in hand: what the store held, and what a load makes of it."""

from typing import Final

from msgspec.structs import replace

from feature_repo import demand_index, item, item_windows
from feature_repo.demand_index import Closing, DemandIndex
from feature_repo.fences import Fence
from feature_repo.item import ItemActivity
from feature_repo.row_store import Kind, RowWrite, StoredRow
from feature_repo.scopes import is_scope, item_of
from feature_repo.windows import Windows, number_at
from streams.engine.rows import index_key
from streams.messages.internal import ItemDelta, Shown, Watermark

_NEWS: Final = 512
"""Items told of beside the bulk of an index; with more of them the bulk is written anew."""


class DemandRow:
    """The row of an item, or of a category or the shop, while loads are folded into it."""

    __slots__ = ("_activity", "_aside", "_expected", "_forecasts", "_made_by", "_seen", "fence", "key", "listed")

    def __init__(self, key: str, stored: StoredRow) -> None:
        self.key = key
        self._expected = stored.fence
        self._seen = stored.seen
        self.fence = Fence(stored.fence)
        *catalogue, activity, self._aside = stored.states
        self.listed = is_scope(key) or any(catalogue)
        """Whether the row has the item's record, or had it."""
        self._activity = item.unpack(activity)
        self._forecasts = b""
        self._made_by = ""

    def whole(self) -> ItemActivity:
        """The item's features, what was set aside among them."""
        item_windows.join(self._activity, self._aside)
        return self._activity

    def fold(self, origin: str, delta: ItemDelta, windows: Windows) -> bool:
        """Fold one delta; False where it is folded already."""
        if not self.fence.enter(origin, delta.offset):
            return False
        older = number_at(delta.timestamp, windows) < self._activity.settled
        item.fold(self.whole() if older else self._activity, delta, windows)
        return True

    def fold_shown(self, origin: str, shown: Shown, windows: Windows) -> None:
        """Fold one impression that showed the item, if it is not folded already."""
        if self.fence.enter(origin, shown.offset):
            item.fold_shown(self._activity, shown.timestamp, windows)

    def keep(self, forecasts: bytes, version: str) -> None:
        """Keep what the scenario needs again of a version's forecasts: in memory alone, as long as this row is."""
        self._forecasts, self._made_by = forecasts, version

    def kept(self, version: str) -> bytes:
        """What is kept of a version's forecasts; empty where nothing is, or another version made them."""
        return self._forecasts if self._made_by == version else b""

    def write(self, origin: str, offset: int, lasts: int = 0) -> RowWrite:
        """The row as it is to be written; the chunk's own place goes into the fence, so that it always moves.

        From now on it counts as written.

        Args:
            lasts: as in `RowWrite`.
        """
        self.fence.advance(origin, offset)
        expected, self._expected = self._expected, self.fence.pack()
        aside = item_windows.set_aside(self._activity, self._aside)
        if aside is not None:
            self._aside = aside
        states = item.pack(self._activity), aside
        return RowWrite(
            kind=kind_of(self.key),
            key=stored_key(self.key),
            expected=expected,
            fence=self._expected,
            seen=self._seen,
            states=states if is_scope(self.key) else (None, *states),
            timestamp=self._activity.newest,
            lasts=lasts,
        )


class IndexRow:
    """The index row of this partition of the road.

    It names every item that sold lately, and is written with every load: so most of it, the bulk, is left alone until a
    window closes or many items are news.
    """

    def __init__(self, partition: int, stored: StoredRow) -> None:
        self.key = index_key(partition)
        self._expected = stored.fence
        self.fence = Fence(stored.fence)
        marks, bulk = (demand_index.unpack(state) for state in stored.states)
        self._news = {window: set(items) for window, items in marks.pending.items()}
        self._bulk_is_stale = not marks.apart
        self.index: DemandIndex = demand_index.join(marks, bulk)

    def observe(self, source: int, delta: ItemDelta, windows: Windows) -> None:
        """Note a delta: which window of which item will be due."""
        window = demand_index.observe(self.index, source, delta, windows)
        if window is not None:
            self._news.setdefault(window, set()).add(delta.item_id)

    def advance(
        self, source: int, watermark: Watermark, *, sources: int, windows: Windows, lateness_ms: int
    ) -> list[Closing]:
        """Take a source's watermark and close the windows that are now complete."""
        closed = self.index.closed
        closings = demand_index.advance(
            self.index, source, watermark, sources=sources, windows=windows, lateness_ms=lateness_ms
        )
        self._bulk_is_stale |= self.index.closed != closed
        return closings

    def write(self, origin: str, offset: int) -> RowWrite:
        """The row as it is to be written; from now on it counts as written."""
        self.fence.advance(origin, offset)
        expected, self._expected = self._expected, self.fence.pack()
        bulk = None
        if self._bulk_is_stale or sum(map(len, self._news.values())) > _NEWS:
            bulk = demand_index.pack(DemandIndex(pending=self.index.pending, recent=self.index.recent))
            self._news, self._bulk_is_stale = {}, False
        marks = demand_index.pack(replace(self.index, pending=self._news, recent={}, apart=True))
        return RowWrite(Kind.SHARD, self.key, expected, self._expected, b"", (marks, bulk), 0)


def kind_of(key: str) -> Kind:
    """Where a row lives: a scope is nothing that people know as an item."""
    return Kind.SHARD if is_scope(key) else Kind.ITEM


def stored_key(key: str) -> str:
    """The key of a row among those of its kind: an item's is its id, which its catalogue row has too."""
    return key if is_scope(key) else item_of(key)
