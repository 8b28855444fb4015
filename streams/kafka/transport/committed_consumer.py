"""A Kafka consumer that reads what is committed, and passes over offsets that hold no record any more."""

# aiokafka tells what a fetch came back with only through its fetcher; Faust's own driver reaches for it too.
# pyright: reportPrivateUsage=false

from collections.abc import Iterator
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer.fetcher import FetchResult


class CommittedConsumer(AIOKafkaConsumer):
    """Reads up to the last stable offset: nothing of a transaction that is open or was aborted.

    Compaction may leave a partition's last stable offsets without a record: a tombstone that was removed, with an open
    transaction behind it. A fetch from there brings nothing, and the position would stand below the end for ever.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, isolation_level="read_committed")

    async def start(self) -> None:
        await super().start()
        fetcher: Any = self._fetcher
        # Wraps aiokafka 0.14.0, consumer/fetcher.py:744 (`Fetcher._proc_fetch_request`).
        fetch = fetcher._proc_fetch_request

        async def fetch_with_holes(assignment: Any, node_id: Any, request: Any) -> bool:
            requested = list(_fetched(assignment, request))
            for tp, _ in requested:
                assignment.state_value(tp).timestamp = None  # set by every answer that is no error
            brings = await fetch(assignment, node_id, request)
            # An answer that is full leaves out partitions that have records; one that brings none leaves out none.
            if brings or not assignment.active or any(tp in fetcher._records for tp, _ in requested):
                return brings
            holes = {tp: hole for tp, at in requested if (hole := _hole(assignment.state_value(tp), at))}
            for tp, hole in holes.items():
                fetcher._records[tp] = FetchResult(tp, assignment=assignment, partition_records=hole, backoff=0)
            return bool(holes)

        fetcher._proc_fetch_request = fetch_with_holes


class _Hole(Iterator[Any]):
    """What aiokafka takes for the records of a fetch (0.14.0, consumer/fetcher.py:59): none, and where to read on."""

    def __init__(self, begin: int, end: int) -> None:
        self.next_fetch_offset = begin
        self._end = end

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        self.next_fetch_offset = self._end
        raise StopIteration


def _fetched(assignment: Any, request: Any) -> Iterator[tuple[TopicPartition, int]]:
    """Each partition that a request names, and from which offset it asks."""
    for topic, partitions in request.topics:
        for partition, offset, *_ in partitions:
            if (tp := TopicPartition(topic, partition)) in assignment.tps:
                yield tp, offset


def _hole(state: Any, fetched_from: int) -> _Hole | None:
    """What there is from the offset asked from to the last stable one, where an answer without records says so.

    Args:
        state: aiokafka's `TopicPartitionState` (consumer/subscription_state.py:443).

    The broker notes the last stable offset before it looks for records: there are none in between.
    """
    if state.timestamp is None or not state.has_valid_position or state.position != fetched_from:
        return None
    return _Hole(fetched_from, state.lso) if state.lso is not None and state.lso > fetched_from else None
