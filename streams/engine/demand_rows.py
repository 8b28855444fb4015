"""Rows of the items' road in hand: what the store held, and what a load makes of it."""

from feature_repo import demand_index, item
from feature_repo.demand_index import DemandIndex
from feature_repo.fences import Fence
from feature_repo.row_store import Kind, RowWrite, StoredRow
from feature_repo.scopes import is_scope
from streams.engine.rows import index_key


class DemandRow:
    """The row of an item, or of a category or the shop, while loads are folded into it."""

    def __init__(self, key: str, stored: StoredRow) -> None:
        self.key = key
        self._expected = stored.fence
        self._seen = stored.seen
        self.fence = Fence(stored.fence)
        self.activity = item.unpack(stored.states[-1])
        self._forecasts = b""
        self._made_by = ""

    def keep(self, forecasts: bytes, version: str) -> None:
        """Keep what the scenario needs again of a version's forecasts: in memory alone, as long as this row is."""
        self._forecasts, self._made_by = forecasts, version

    def kept(self, version: str) -> bytes:
        """What is kept of a version's forecasts; empty where nothing is, or another version made them."""
        return self._forecasts if self._made_by == version else b""

    def write(self, origin: str, offset: int) -> RowWrite:
        """The row as it is to be written; the chunk's own place goes into the fence, so that it always moves.

        From now on it counts as written.
        """
        self.fence.advance(origin, offset)
        expected, self._expected = self._expected, self.fence.pack()
        packed = item.pack(self.activity)
        return RowWrite(
            kind=kind_of(self.key),
            key=self.key,
            expected=expected,
            fence=self._expected,
            seen=self._seen,
            states=(packed,) if is_scope(self.key) else (None, packed),
            timestamp=self.activity.newest,
        )


class IndexRow:
    """The index row of this partition of the road."""

    def __init__(self, partition: int, stored: StoredRow) -> None:
        self._key = index_key(partition)
        self._expected = stored.fence
        self.fence = Fence(stored.fence)
        self.index: DemandIndex = demand_index.unpack(stored.states[0])

    def write(self, origin: str, offset: int) -> RowWrite:
        """The row as it is to be written; from now on it counts as written."""
        self.fence.advance(origin, offset)
        expected, self._expected = self._expected, self.fence.pack()
        packed = demand_index.pack(self.index)
        return RowWrite(Kind.SHARD, self._key, expected, self._expected, b"", (packed,), 0)


def kind_of(key: str) -> Kind:
    """Where a row lives: a scope is nothing that people know as an item."""
    return Kind.SHARD if is_scope(key) else Kind.ITEM
