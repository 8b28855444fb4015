"""Rows in hand: what the store held, and what a batch makes of it."""

from collections.abc import Iterable, Iterator

from feature_repo.basics.fences import Fence, SeenIds
from feature_repo.shoppers import shopper, watermark
from feature_repo.store.row_store import Kind, RowWrite, StoredRow


class ShopperRow:
    """A shopper's row while batches are folded into it."""

    __slots__ = ("_expected", "fence", "newest", "seen", "state", "user_id")

    def __init__(self, user_id: str, stored: StoredRow) -> None:
        self.user_id = user_id
        self._expected = stored.fence
        self.fence = Fence(stored.fence)
        self.seen = SeenIds(stored.seen)
        self.state = shopper.unpack(stored.states[0])
        self.newest = -1
        """Event time of the newest event folded since the last write, ms; -1 while nothing was."""

    def to_write(self) -> RowWrite:
        """The row as it is to be written; from now on it counts as written."""
        expected, self._expected = self._expected, self.fence.pack()
        newest, self.newest = self.newest, -1
        return RowWrite(
            kind=Kind.USER,
            key=self.user_id,
            expected=expected,
            fence=self._expected,
            seen=self.seen.pack(),
            states=(shopper.pack(self.state),),
            timestamp=max(newest, *self.state.last, 0),
        )


class SourceRow:
    """The bookkeeping row of one `events` partition: its watermark, and how far it is folded."""

    def __init__(self, partition: int, stored: StoredRow) -> None:
        self.key = source_key(partition)
        self._expected = stored.fence
        self.fence = Fence(stored.fence)
        self.mark = watermark.unpack(stored.states[0])

    def to_write(self) -> RowWrite:
        """The row as it is to be written; from now on it counts as written."""
        expected, self._expected = self._expected, self.fence.pack()
        return RowWrite(
            kind=Kind.SHARD,
            key=self.key,
            expected=expected,
            fence=self._expected,
            seen=b"",
            states=(watermark.pack(self.mark), None),
            timestamp=max(self.mark.newest, 0),
        )


def source_key(partition: int) -> str:
    """Key of the row of an `events` partition."""
    return f"events/{partition}"


def index_key(partition: int) -> str:
    """Key of the row of a partition of the item pipeline."""
    return f"items/{partition}"


def catalogue_key(partition: int) -> str:
    """Key of the row that says how far a partition of `items` is folded."""
    return f"catalogue/{partition}"


def writes_of_changed(rows: Iterable[ShopperRow]) -> Iterator[RowWrite]:
    """Writes for the rows that a batch changed."""
    return (row.to_write() for row in rows if row.newest >= 0)
