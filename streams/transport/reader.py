"""The consumer's thread: reads spans of partitions through aiokafka."""

# aiokafka says where a partition's reading stands, and tells that data has come, only through its fetcher and its
# subscription; Faust's own driver reaches for the same two.
# pyright: reportPrivateUsage=false

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from aiokafka import AIOKafkaConsumer, ConsumerRecord, OffsetAndMetadata, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, ConsumerStoppedError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, credentials_to_aiokafka_auth, server_list
from faust.types import TP

from streams.errors import TopicChanged
from streams.transport.chunks import RawRecord, Span

log = logging.getLogger(__name__)

# A fetch in flight asks for no partition whose last records were not taken yet: it stands in their way this long.
_FETCH_WAIT_MS = 100
# While one partition's records last, which may be for many loads, nothing else is heard of the others.
_STALE_S = 0.5


class Quota(NamedTuple):
    """What one road can take now.

    Attributes:
        partitions: where from, in this order.
        records: so many of all of them.
    """

    partitions: Sequence[TP]
    records: int


class Reading(NamedTuple):
    """What one road was given.

    Attributes:
        spans: of each partition one at most.
        more: whether, as last heard, there is more to read.
    """

    spans: list[tuple[TP, Span]]
    more: bool


class _PulledConsumer(AIOKafkaConsumer):
    """Fetches when it is asked to, instead of always.

    A fetch that is sent as soon as the last one's records are taken comes back with the one record that had come by
    then, and the next load is that one record. Sent when the road can take a load, it brings all that has come since;
    and each costs the broker more than the records in it.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._is_waited_for = self._is_wanted_once = False
        self._asked_at = 0.0

    @property
    def is_stale(self) -> bool:
        """Whether what has come to the partitions that were empty may have waited for long."""
        return time.monotonic() - self._asked_at > _STALE_S

    async def start(self) -> None:
        await super().start()
        fetcher: Any = self._fetcher
        actions = fetcher._get_actions_per_node

        def when_pulled(assignment: Any) -> Any:
            requests, *rest = actions(assignment)
            if not (self._is_waited_for or self._is_wanted_once):
                return [], *rest
            if requests:
                self._is_wanted_once, self._asked_at = False, time.monotonic()
            return requests, *rest

        fetcher._get_actions_per_node = when_pulled

    def pull(self) -> None:
        """Send one fetch, now or when the one in flight has come back."""
        self._is_wanted_once = True
        self._look_again()

    async def wait_for_records(self, patience: float) -> bool:
        """Fetch until something comes or `wake` is called; False after `patience` seconds without."""
        fetcher: Any = self._fetcher
        waiter = fetcher._create_fetch_waiter()
        self._is_waited_for = True
        self._look_again()
        try:
            done, _ = await asyncio.wait([waiter], timeout=patience)
        finally:
            self._is_waited_for = False
        if not done:
            waiter.cancel()
            return False
        waiter.result()
        return True

    def wake(self) -> None:
        """End all waiting."""
        fetcher: Any = self._fetcher
        for waiter in fetcher._fetch_waiters:
            fetcher._notify(waiter)

    def _look_again(self) -> None:
        fetcher: Any = self._fetcher
        for untaken in fetcher._records.values():
            untaken._backoff = 0  # what a pausing road has not taken is not to hold up what others wait for
        fetcher._notify(fetcher._wait_consume_future)


class ReaderThread(AIOKafkaConsumerThread):
    """Faust's consumer thread, reading spans instead of records."""

    logger = logging.getLogger("faust")

    async def read(self, quotas: Sequence[Quota], patience: float) -> list[Reading]:
        """One reading for each quota; waits `patience` seconds for the first record."""
        return await self.call_thread(self._read, quotas, patience)

    async def rewind(self) -> dict[TP, int]:
        """Seek every assigned partition to the group's committed offset, or to its log's start; returns the offsets.

        Raises:
            TopicChanged: a log ends before what the group has committed.
        """
        return await self.call_thread(self._rewind)

    async def seek_back(self, tp: TP, offset: int) -> None:
        """Read `tp` from `offset` on, in the thread that reads, so that no read runs across it."""
        await self.call_thread(self._seek_back, tp, offset)

    def wake(self) -> None:
        """Let a waiting `read` return: what it may take has changed."""
        self.thread_loop.call_soon_threadsafe(self._wake)

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        conf = self.app.conf
        return _PulledConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=",".join(server_list(transport.url, transport.default_port)),
            # Equal subscriptions and partition counts give partition p of every topic to one worker: one writer a row.
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset=conf.consumer_auto_offset_reset,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=_FETCH_WAIT_MS,
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            **credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def _read(self, quotas: Sequence[Quota], patience: float) -> list[Reading]:
        consumer = self._pulled()
        fetcher: Any = consumer._fetcher
        if not self.consumer.flow_active:
            return []
        if consumer._closed or fetcher._closed:
            raise ConsumerStoppedError
        with fetcher._subscriptions.fetch_context():
            taken = [await self._take_all(fetcher, quota) for quota in quotas]
            if any(taken):
                # Of a partition that has no records left here.
                empty = [tp for quota in quotas for tp in quota.partitions if tp not in fetcher._records]
                if not all(taken) or consumer.is_stale or self._is_behind(fetcher, empty):
                    consumer.pull()
            elif await consumer.wait_for_records(patience):
                taken = [await self._take_all(fetcher, quota) for quota in quotas]
            return [
                Reading(spans, self._is_behind(fetcher, quota.partitions))
                for quota, spans in zip(quotas, taken, strict=True)
            ]

    def _is_behind(self, fetcher: Any, partitions: Iterable[TP]) -> bool:
        """Whether one of the partitions, as last heard, has records beyond those that were taken."""
        subscriptions = fetcher._subscriptions
        if subscriptions.reassignment_in_progress:
            return False
        mine = [tp for tp in partitions if subscriptions.is_assigned(tp)]
        states = [subscriptions.subscription.assignment.state_value(tp) for tp in mine]
        return any(state.has_valid_position and state.position < (state.highwater or 0) for state in states)

    async def _take_all(self, fetcher: Any, quota: Quota) -> list[tuple[TP, Span]]:
        spans: list[tuple[TP, Span]] = []
        room = quota.records
        for tp in quota.partitions:
            span = await self._take(fetcher, tp, room) if room else None
            if span is not None:
                spans.append((tp, span))
                room -= len(span.records)
        return spans

    async def _take(self, fetcher: Any, tp: TP, most: int) -> Span | None:
        subscriptions = fetcher._subscriptions
        if subscriptions.reassignment_in_progress or not subscriptions.is_assigned(tp):
            return None
        state = subscriptions.subscription.assignment.state_value(tp)
        if tp not in fetcher._records or not state.has_valid_position:
            return None
        begin = state.position
        # With no timeout and no reassignment this never suspends: nothing moves the position but what is taken here.
        taken = await fetcher.fetched_records([tp], timeout=0, max_records=most)
        if state.position == begin:
            return None
        return Span(begin, state.position, [_raw(record) for record in taken.get(tp, ())])

    async def _rewind(self) -> dict[TP, int]:
        consumer = self._ensure_consumer()
        tps = list(consumer.assignment())
        committed = await asyncio.gather(*(consumer.committed(tp) for tp in tps))
        starts, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        offsets = {
            TP(tp.topic, tp.partition): _start(tp, done, starts[tp], ends[tp])
            for tp, done in zip(tps, committed, strict=True)
        }
        for tp, offset in offsets.items():
            consumer.seek(TopicPartition(*tp), offset)
        return offsets

    async def _seek_back(self, tp: TP, offset: int) -> None:
        consumer = self._ensure_consumer()
        if tp in consumer.assignment():
            consumer.seek(TopicPartition(*tp), offset)

    def _wake(self) -> None:
        self._pulled().wake()

    def _pulled(self) -> _PulledConsumer:
        return cast(_PulledConsumer, self._ensure_consumer())

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        owned = consumer.assignment()
        try:
            await consumer.commit(
                {TopicPartition(*tp): OffsetAndMetadata(offset, "") for tp, offset in offsets.items() if tp in owned}
            )
        except CommitFailedError:
            # The group has gone on without this worker: its successor does the work again.
            log.info("offsets not committed: the group has rebalanced")
            return False
        return True


def _raw(record: "ConsumerRecord[bytes, bytes]") -> RawRecord:
    return RawRecord(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple([(name, value or b"") for name, value in record.headers]),  # Kafka's headers may be null
    )


def _start(tp: TopicPartition, committed: int | None, first: int, end: int) -> int:
    if committed is None:
        return first
    if committed > end:
        raise TopicChanged(
            f"{tp.topic} partition {tp.partition} ends at {end}, but the group has committed {committed}: the topic "
            "was recreated or has lost data. Use another HEADRACE_GROUP, or delete this group's offsets and features."
        )
    if committed < first:
        log.warning("%s/%d: retention has deleted offsets %d to %d", tp.topic, tp.partition, committed, first - 1)
    return max(committed, first)
