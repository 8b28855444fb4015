"""The row of one key of a series, while batches are folded into it."""

from feature_repo.basics.fences import Fence
from feature_repo.basics.windows import Windows
from feature_repo.items import series_counts
from feature_repo.items.scopes import item_of, kind_and_name, series_of
from feature_repo.store.row_store import Kind, RowWrite, StoredRow
from headrace.messages.internal import SeriesUpdate
from headrace.scenarios import Series


class CountsRow:
    """What the store held of a key, and what a batch makes of it.

    Attributes:
        key: of the row, among all rows of the item pipeline.
        listed: whether it is no item's: of an item the row does not say whether a catalogue has it.
    """

    __slots__ = ("_expected", "_item", "counts", "fence", "key", "listed", "series")

    def __init__(self, key: str, stored: StoredRow, series: Series) -> None:
        found = series_of(key)
        assert found is not None
        self.key = key
        self.series = series
        self._item = found[1]
        self.listed = kind_and_name(self._item)[0] != "item"
        self._expected = stored.fence
        self.fence = Fence(stored.fence)
        self.counts = series_counts.unpack(stored.states[0], series)

    @property
    def item_id(self) -> str:
        """Whose row it is, where it is an item's."""
        return item_of(self._item)

    def fold(self, origin: str, update: SeriesUpdate, windows: Windows, closed: int) -> bool:
        """Fold one update, if it is not folded already; whether its window will be due.

        Args:
            closed: windows below are closed.
        """
        if not self.fence.enter(origin, update.offset):
            return False
        return series_counts.fold(self.counts, update, windows, history=self.series.history, closed=closed)

    def to_write(self, origin: str, offset: int, ttl_ms: int = 0) -> RowWrite:
        """The row as it is to be written; from now on it counts as written."""
        self.fence.advance(origin, offset)
        expected, self._expected = self._expected, self.fence.pack()
        return RowWrite(
            kind=Kind.SHARD,
            key=self.key,
            expected=expected,
            fence=self._expected,
            seen=b"",
            states=(series_counts.pack(self.counts), None),
            timestamp=self.counts.newest,
            ttl_ms=ttl_ms,
        )
