"""Rows kept from one chunk of a partition to the next, for as long as nobody else has written there.

Every chunk of a partition moves the fence of the partition's own bookkeeping row, which is read first. While that
fence is the one that this worker wrote last, no other worker has folded anything into the partition's rows, and what is
kept equals what the store holds. A worker that lost a partition and got it back finds another fence, and reads anew.
"""

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

R = TypeVar("R")


class RowCache(Generic[R]):
    """The rows used last, over all partitions.

    Args:
        most: rows kept; beyond it those used longest ago are dropped.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept = 0
        self._partitions: dict[int, tuple[bytes, dict[str, R]]] = {}

    def take(self, partition: int, fence: bytes, keys: Iterable[str]) -> dict[str, R]:
        """Those of the rows that are kept. They are the caller's now: a chunk that fails never puts them back.

        Args:
            fence: of the partition's bookkeeping row, as it was just read.
        """
        known, rows = self._partitions.get(partition, (b"", {}))
        if known != fence:
            self.drop(partition)
            return {}
        found = {key: rows.pop(key) for key in keys if key in rows}
        self._kept -= len(found)
        return found

    def put(self, partition: int, fence: bytes, rows: Mapping[str, R]) -> None:
        """Keep rows as they were just written, together with their partition's fence."""
        _, kept = self._partitions.get(partition, (b"", {}))
        self._partitions[partition] = fence, kept
        self._kept += len(rows.keys() - kept.keys())
        kept.update(rows)
        while self._kept > self._most and kept:
            del kept[next(iter(kept))]
            self._kept -= 1

    def forget(self, partition: int, keys: Iterable[str]) -> None:
        """Drop rows of a partition that something else than its chunks has written."""
        _, rows = self._partitions.get(partition, (b"", {}))
        for key in keys:
            if rows.pop(key, None) is not None:
                self._kept -= 1

    def drop(self, partition: int) -> None:
        """Drop everything of a partition."""
        _, rows = self._partitions.pop(partition, (b"", {}))
        self._kept -= len(rows)
