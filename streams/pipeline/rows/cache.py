"""Rows kept from one batch to the next, as this worker has folded them.

A worker is the one writer of its partitions' rows until a fence tells it otherwise: a write is refused when anybody
else has written since, and then, as at every failure and whenever partitions move, everything kept is dropped.
"""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Generic, TypeVar

R = TypeVar("R")


class RowCache(Generic[R]):
    """The rows used last.

    Args:
        most: rows kept; beyond it those used longest ago are dropped.
    """

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._rows: dict[str, R] = {}

    def take(self, keys: Iterable[str]) -> dict[str, R]:
        """Those of the rows that are kept. They are the caller's until it puts them back."""
        rows = self._rows
        return {key: rows.pop(key) for key in keys if key in rows}

    def put(self, rows: Mapping[str, R]) -> None:
        """Keep rows as they now stand."""
        self._rows.update(rows)
        for key in list(islice(self._rows, max(len(self._rows) - self._max_rows, 0))):
            del self._rows[key]

    def clear(self) -> None:
        """Drop everything."""
        self._rows.clear()
