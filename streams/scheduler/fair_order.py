"""Which partition is read first, so that a long log, which fills batch after batch, keeps no other waiting. Pure."""

from collections.abc import Iterable
from itertools import count
from typing import Generic, TypeVar

T = TypeVar("T")


class FairOrder(Generic[T]):
    """Remembers who was served when."""

    def __init__(self) -> None:
        self._clock = count(1)
        self._served: dict[T, int] = {}

    def order(self, names: Iterable[T]) -> list[T]:
        """Whoever was served longest ago first, and those never served before all; else as they come."""
        return sorted(names, key=lambda name: self._served.get(name, 0))

    def mark_served(self, names: Iterable[T]) -> None:
        """They have had their turn, in this order: the last may have been cut for want of room, and is last again."""
        for name in names:
            self._served[name] = next(self._clock)
