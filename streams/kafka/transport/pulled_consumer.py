"""A Kafka consumer that fetches when it is asked to, and hands over spans of partitions."""

# aiokafka says where a partition's reading stands, and tells that data has come, only through its fetcher and its
# subscription; Faust's own driver reaches for the same two.
# pyright: reportPrivateUsage=false

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import ConsumerStoppedError
from faust.types import TP

from streams.kafka.transport.batches import RawRecord, Span
from streams.kafka.transport.committed_consumer import CommittedConsumer
from streams.scheduler.reading import Quota

# While one partition's records last, which may be for many batches, nothing is known of the others.
_STALE_S = 0.5


class Reading(NamedTuple):
    """What one pipeline was given.

    Attributes:
        spans: of each partition one at most.
        more: whether, as last known, there is more to read.
    """

    spans: list[tuple[TP, Span]]
    more: bool


class PulledConsumer(CommittedConsumer):
    """Fetches when it is asked to, instead of always.

    A fetch that is sent as soon as the last one's records are taken comes back with the one record that had come by
    then, and the next batch is that one record. Sent when the pipeline can take a batch, it brings all that has come
    since; and each costs the broker more than the records in it.

    Args:
        topic_of: the topic that is called so on the cluster; records bear its name.
    """

    def __init__(self, *, topic_of: Callable[[str], str] = str, **settings: Any) -> None:
        super().__init__(**settings)
        self._topic_of = topic_of
        self._has_waiter = self._is_fetch_requested = False
        self._fetched_at = 0.0
        self._resting: Set[TP] = frozenset()

    async def start(self) -> None:
        await super().start()
        fetcher: Any = self._fetcher
        # Wraps aiokafka 0.14.0, consumer/fetcher.py:584 (`Fetcher._get_actions_per_node`).
        actions = fetcher._get_actions_per_node

        def when_pulled(assignment: Any) -> Any:
            requests, *rest = actions(assignment)
            if not (self._has_waiter or self._is_fetch_requested):
                return [], *rest
            if self._resting:
                requests = [one for one in requests if _leave_out(one[1], self._resting)]
            if requests:
                self._is_fetch_requested, self._fetched_at = False, time.monotonic()
            return requests, *rest

        fetcher._get_actions_per_node = when_pulled

    async def read_spans(
        self, quotas: Sequence[Quota[TP]], wait_s: float, resting: Set[TP] = frozenset()
    ) -> list[Reading]:
        """One reading for each quota; waits `wait_s` seconds for the first record.

        Partitions that rest are not fetched: each costs, and their records would end the wait for those of others.

        No reading at all where partitions were reassigned while it waited: whoever asked, asked for the last
        assignment, and throws away what is of the next, which would not be read again.

        Raises:
            ConsumerStoppedError: it was stopped.
        """
        fetcher: Any = self._fetcher
        if self._closed or fetcher._closed:
            raise ConsumerStoppedError
        subscriptions = fetcher._subscriptions
        assignment = subscriptions.subscription.assignment
        self._resting = resting
        with subscriptions.fetch_context():
            spans_read = [await self._take_quota(fetcher, quota) for quota in quotas]
            if any(spans_read):
                # Of a partition that has no records left here.
                empty = [tp for quota in quotas for tp in quota.partitions if tp not in fetcher._records]
                if not all(spans_read) or self._is_stale or self._is_behind(fetcher, empty):
                    self._request_fetch()
            elif await self._wait_for_records(wait_s):
                if subscriptions.subscription.assignment is not assignment:
                    return []
                spans_read = [await self._take_quota(fetcher, quota) for quota in quotas]
            return [
                Reading(spans, self._is_behind(fetcher, quota.partitions))
                for quota, spans in zip(quotas, spans_read, strict=True)
            ]

    async def committed_with_notes(self, tps: Sequence[TopicPartition]) -> Mapping[TopicPartition, tuple[int, str]]:
        """What the group has committed, each with what was noted beside it; partitions without a commit are left out.

        `committed` keeps the notes to itself, and asks for one partition at a time.
        """
        # aiokafka 0.14.0, consumer/group_coordinator.py:1159.
        coordinator: Any = self._coordinator
        found = await coordinator.fetch_committed_offsets(tps)
        return {tp: (committed.offset, committed.metadata or "") for tp, committed in found.items()}

    def wake(self) -> None:
        """End all waiting."""
        fetcher: Any = self._fetcher
        for waiter in fetcher._fetch_waiters:
            fetcher._notify(waiter)

    @property
    def _is_stale(self) -> bool:
        """Whether what has come to the partitions that were empty may have waited for long."""
        return time.monotonic() - self._fetched_at > _STALE_S

    def _request_fetch(self) -> None:
        """Send one fetch, now or when the one in flight has come back."""
        self._is_fetch_requested = True
        self._wake_fetcher()

    async def _wait_for_records(self, wait_s: float) -> bool:
        """Fetch until something comes or `wake` is called; False after `wait_s` seconds without."""
        fetcher: Any = self._fetcher
        waiter = fetcher._create_fetch_waiter()  # aiokafka 0.14.0, consumer/fetcher.py:463
        self._has_waiter = True
        self._wake_fetcher()
        try:
            done, _ = await asyncio.wait([waiter], timeout=wait_s)
        finally:
            self._has_waiter = False
        if not done:
            waiter.cancel()
            return False
        waiter.result()
        return True

    def _wake_fetcher(self) -> None:
        fetcher: Any = self._fetcher
        for unread in fetcher._records.values():
            unread._backoff = 0  # what a pausing pipeline has not taken is not to hold up what others wait for
        # Which `_fetch_requests_routine` waits for: aiokafka 0.14.0, consumer/fetcher.py:476.
        fetcher._notify(fetcher._wait_consume_future)

    def _is_behind(self, fetcher: Any, partitions: Iterable[TP]) -> bool:
        """Whether one of the partitions, as last known, has records beyond those that were taken."""
        subscriptions = fetcher._subscriptions
        if subscriptions.reassignment_in_progress:
            return False
        mine = [tp for tp in partitions if subscriptions.is_assigned(tp)]
        states = [subscriptions.subscription.assignment.state_value(tp) for tp in mine]
        # What lies beyond the last stable offset is no record yet: who asked for it would ask for ever.
        return any(state.has_valid_position and state.position < (state.lso or 0) for state in states)

    async def _take_quota(self, fetcher: Any, quota: Quota[TP]) -> list[tuple[TP, Span]]:
        spans: list[tuple[TP, Span]] = []
        room = quota.records
        for tp in quota.partitions:
            span = await self._take_span(fetcher, tp, room) if room else None
            if span is not None:
                spans.append((tp, span))
                room -= len(span.records)
        return spans

    async def _take_span(self, fetcher: Any, tp: TP, most: int) -> Span | None:
        subscriptions = fetcher._subscriptions
        if subscriptions.reassignment_in_progress or not subscriptions.is_assigned(tp):
            return None
        state = subscriptions.subscription.assignment.state_value(tp)
        if tp not in fetcher._records or not state.has_valid_position:
            return None
        begin = state.position
        # With no timeout and no reassignment this never suspends (aiokafka 0.14.0, consumer/fetcher.py:1209): nothing
        # moves the position but what is taken here.
        spans_read = await fetcher.fetched_records([tp], timeout=0, max_records=most)
        if state.position == begin:
            return None
        topic = self._topic_of(tp.topic)
        return Span(begin, state.position, [_raw(topic, record) for record in spans_read.get(tp, ())])


def _leave_out(request: Any, resting: Set[TP]) -> bool:
    """Take partitions out of a fetch request; whether it asks for any other."""
    kept = [
        (topic, mine)
        for topic, partitions in request.topics
        if (mine := [fetched for fetched in partitions if (topic, fetched[0]) not in resting])
    ]
    request._topics = kept
    return bool(kept)


def _raw(topic: str, record: "ConsumerRecord[bytes, bytes]") -> RawRecord:
    return RawRecord(
        topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        # Most records have none. A header's value may be null in Kafka.
        tuple([(name, value or b"") for name, value in record.headers]) if record.headers else (),
    )
