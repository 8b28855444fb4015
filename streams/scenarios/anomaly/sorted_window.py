"""The newest values of a stream, kept in order of size."""

from bisect import bisect_left, insort
from collections import deque
from typing import Final

MEMORY: Final = 32_768
"""Values kept; the oldest goes when one more comes, so that an endless stream costs bounded memory."""


class SortedWindow:
    """Up to `MEMORY` values.

    Attributes:
        values: ascending; not to be changed by others.
    """

    def __init__(self) -> None:
        self.values: list[float] = []
        self._in_time: deque[float] = deque()

    def add(self, value: float) -> None:
        """Take one more value; moves memory, which for a list of this length is a few microseconds."""
        if len(self._in_time) == MEMORY:
            self.values.pop(bisect_left(self.values, self._in_time.popleft()))
        self._in_time.append(value)
        insort(self.values, value)
