"""When a pipeline is to be read again, so that its batches are neither many small ones nor few late ones. Pure."""

from collections.abc import Callable, Iterable
from math import inf
from typing import Final, NamedTuple

_SLOWEST_S: Final = 0.1


class PipelineTopics(NamedTuple):
    """The topics of one agent, and how often they are read.

    Attributes:
        pause_s: least time between two readings while other pipelines have batches in flight: what comes meanwhile
            makes larger batches, which cost less.
        gather_s: least time between two readings while no other pipeline has any. The first record after a while
            without any waits for nothing.
        share: least time between two readings, as a share of what the last batch took to arrive; `_SLOWEST_S` at most.
            A batch has costs of its own. Read as soon as the one ahead has made way, they would be in turns of a few
            records and of many.
    """

    names: frozenset[str]
    pause_s: float = 0.0
    gather_s: float = 0.0
    share: float = 0.0


class PollThrottle:
    """Notes when each pipeline was read and how long its batches take.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._read_at: dict[frozenset[str], float] = {}
        self._took: dict[frozenset[str], float] = {}

    def on_read(self, pipeline: PipelineTopics, *, more: bool) -> None:
        """Something was read. Where there is more, that is to be read at once."""
        self._read_at[pipeline.names] = -inf if more else self._clock()

    def on_done(self, pipeline: PipelineTopics, seconds: float) -> None:
        """A batch has come to the end of its pipeline, so long after it was read."""
        self._took[pipeline.names] = seconds

    def remaining_s(self, pipeline: PipelineTopics, busy: Iterable[PipelineTopics]) -> float:
        """Seconds until it is to be read again; 0 for now.

        Args:
            busy: pipelines that have batches in flight.
        """
        pause = pipeline.pause_s if any(other is not pipeline for other in busy) else pipeline.gather_s
        interval = min(pipeline.share * self._took.get(pipeline.names, 0.0), _SLOWEST_S)
        due = self._read_at.get(pipeline.names, -inf) + max(pause, interval)
        return max(due - self._clock(), 0.0)
