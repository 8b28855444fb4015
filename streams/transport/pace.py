"""When a road is to be read again, so that its loads are neither many small ones nor few late ones. Pure."""

from collections.abc import Callable, Iterable
from math import inf
from typing import Final, NamedTuple

_SLOWEST_S: Final = 0.1


class RoadTopics(NamedTuple):
    """The topics of one agent, and how often they are read.

    Attributes:
        pause_s: least time between two readings while other roads are at work, here or in another process: what comes
            meanwhile makes larger loads, which cost less. Where nothing comes any more it is over.
        share: least time between two readings, as a share of what the last load took to arrive; `_SLOWEST_S` at most.
            A load has costs of its own. Read as soon as the one ahead has made way, they would be in turns of a few
            records and of many.
    """

    names: frozenset[str]
    pause_s: float = 0.0
    share: float = 0.0


class Pace:
    """Notes when each road was read and how long its loads take.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._read_at: dict[frozenset[str], float] = {}
        self._took: dict[frozenset[str], float] = {}

    def read(self, road: RoadTopics, *, more: bool) -> None:
        """Something was read. Where there is more, that is to be read at once."""
        self._read_at[road.names] = -inf if more else self._clock()

    def arrived(self, road: RoadTopics, seconds: float) -> None:
        """A load has come to the end of its road, so long after it was read."""
        self._took[road.names] = seconds

    def quiet(self, road: RoadTopics) -> None:
        """Nothing comes any more of what its pause gathers."""
        self._read_at.pop(road.names, None)

    def left(self, road: RoadTopics, at_work: Iterable[RoadTopics], *, alone: bool) -> float:
        """Seconds until it is to be read again; 0 for now.

        Args:
            at_work: roads that have loads under way in this process.
            alone: whether the other roads are other processes'.
        """
        pause = road.pause_s if alone or any(other is not road for other in at_work) else 0.0
        pace = min(road.share * self._took.get(road.names, 0.0), _SLOWEST_S)
        due = self._read_at.get(road.names, -inf) + max(pause, pace)
        return max(due - self._clock(), 0.0)
