"""What is read when: the batches in flight, and which pipeline may read how much of which partitions now. Pure."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from math import inf
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from streams.scheduler.fair_order import FairOrder
from streams.scheduler.slots import IN_FLIGHT
from streams.scheduler.throttle import PipelineTopics, PollThrottle


class Partition(Hashable, Protocol):
    """A partition of a topic."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...


LONGEST_FETCH_S: Final = 0.1
"""A fetch in flight asks for no partition whose last records were not taken yet: it stands in their way this long."""

P = TypeVar("P", bound=Partition)
D = TypeVar("D")


class Batching(NamedTuple):
    """How records are put together, and which topics share an agent.

    Attributes:
        records: most records in a batch.
        size: most bytes in a batch; a larger record forms a batch of its own.
        pipelines: the topics of each agent; each is read when its last batch has let the next one begin.
    """

    records: int
    size: int
    pipelines: Sequence[PipelineTopics]


class Quota(NamedTuple, Generic[P]):
    """What one pipeline can take now.

    Attributes:
        partitions: where from, in this order.
        records: so many of all of them.
    """

    partitions: Sequence[P]
    records: int


class ReadPlan(NamedTuple, Generic[P]):
    """What to read now.

    Attributes:
        quotas: of each pipeline that can take a batch.
        pause_s: seconds until one that pauses can take more; infinite where none pauses.
        resting: partitions of those that pause for longer than a fetch takes: to fetch them would be in vain.
    """

    quotas: list[tuple[PipelineTopics, Quota[P]]]
    pause_s: float
    resting: frozenset[P]


class Done(NamedTuple, Generic[D]):
    """What was delivered with a batch that is done, and whether its pipeline can take another only since then."""

    delivered: D
    makes_room: bool


class _InFlight(Generic[D]):
    """A batch that was delivered and is not done.

    `is_released` says whether the pipeline has begun with it so far that another may follow.
    """

    def __init__(self, pipeline: PipelineTopics, delivered: D, read_at: float) -> None:
        self.pipeline = pipeline
        self.delivered = delivered
        self.read_at = read_at
        self.is_released = False


class ReadScheduler(Generic[P, D]):
    """Told what was read, begun and done; asked what to read.

    A pipeline may read when each of its batches has let the next one begin, when fewer than `IN_FLIGHT` are not done,
    and when its throttle does not make it pause.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, batching: Batching, clock: Callable[[], float]) -> None:
        self._batching = batching
        self._clock = clock
        self._in_flight: dict[int, _InFlight[D]] = {}
        self._fair_order: FairOrder[P] = FairOrder()
        self._throttle = PollThrottle(clock)

    def plan(self, partitions: Iterable[P]) -> ReadPlan[P]:
        """What each pipeline can take now of the partitions that may be read."""
        ordered = sorted(partitions, key=lambda it: (it.topic, it.partition))
        busy = [held.pipeline for held in self._in_flight.values()]
        quotas: list[tuple[PipelineTopics, Quota[P]]] = []
        pause_s, resting = inf, frozenset[P]()
        for pipeline in self._batching.pipelines:
            mine = [partition for partition in ordered if partition.topic in pipeline.names]
            if not mine or not self._has_room(pipeline):
                continue
            if remaining := self._throttle.remaining_s(pipeline, busy):
                pause_s = min(pause_s, remaining)
                resting |= frozenset(mine) if remaining > LONGEST_FETCH_S else frozenset()
            else:
                quotas.append((pipeline, Quota(self._fair_order.order(mine), self._batching.records)))
        return ReadPlan(quotas, pause_s, resting)

    def note_read(self, pipeline: PipelineTopics, partitions: Sequence[P], *, more: bool) -> None:
        """A quota was read, of these partitions in this order; `more`: there is more to read."""
        self._fair_order.mark_served(partitions)
        if partitions:
            self._throttle.on_read(pipeline, more=more)

    def begin(self, pipeline: PipelineTopics, batch: object, delivered: D) -> None:
        """A batch goes to its pipeline; `mark_done` returns `delivered`."""
        self._in_flight[id(batch)] = _InFlight(pipeline, delivered, self._clock())

    def released_next(self, batch: object) -> bool:
        """The pipeline can take the next batch; whether that is news."""
        held = self._in_flight.get(id(batch))
        if held is None or held.is_released:
            return False
        held.is_released = True
        return True

    def mark_done(self, batch: object) -> Done[D] | None:
        """The pipeline has done all that the batch asks for; None where it was begun before `reset`."""
        held = self._in_flight.get(id(batch))
        if held is None:
            return None
        had_room = self._has_room(held.pipeline)
        del self._in_flight[id(batch)]
        self._throttle.on_done(held.pipeline, self._clock() - held.read_at)
        return Done(held.delivered, not had_room and self._has_room(held.pipeline))

    def reset(self) -> None:
        """The partitions are others, or read anew: what is in flight is no longer waited for."""
        self._in_flight.clear()

    def _has_room(self, pipeline: PipelineTopics) -> bool:
        mine = [held for held in self._in_flight.values() if held.pipeline is pipeline]
        return len(mine) < IN_FLIGHT and all(held.is_released for held in mine)
