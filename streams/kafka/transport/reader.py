"""The consumer's thread: reads spans of partitions through aiokafka."""

import asyncio
import logging
from collections.abc import Mapping, Sequence, Set
from typing import Any, NamedTuple, cast

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, KafkaTimeoutError
from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, credentials_to_aiokafka_auth, server_list
from faust.types import TP

from headrace.errors import TopicChanged
from streams.kafka.transport.pulled_consumer import PulledConsumer, Reading
from streams.scheduler.reading import LONGEST_FETCH_S, Quota

log = logging.getLogger(__name__)

# The client asks for ever where a topic is gone, and this thread has room for few calls: a worker that is to end for
# want of the topic would never have ended.
_COMMIT_S = 10.0
_FOLDED = "folded="
"""Before an offset in what a worker notes beside its commits. A tool that sets a group's offsets leaves no such note,
and whoever set them knows what the rows hold."""


class Start(NamedTuple):
    """Where the reading of a partition begins.

    Attributes:
        offset: the first to read.
        folded: the last record that the group has processed before it, by the note of its last commit; -1 without one.
    """

    offset: int
    folded: int


_LAGS_S = 5.0


class ReaderThread(AIOKafkaConsumerThread):
    """Faust's consumer thread, reading spans instead of records.

    Replaces of Faust 0.15.3 `_create_worker_consumer` (drivers/aiokafka.py:568), `_commit` (drivers/aiokafka.py:794)
    and `_highwaters` (drivers/aiokafka.py:1058).
    """

    logger = logging.getLogger("faust")

    async def read(self, quotas: Sequence[Quota[TP]], wait_s: float, resting: Set[TP]) -> list[Reading]:
        """One reading for each quota; waits `wait_s` seconds for the first record. `resting` are not fetched."""
        return await self.call_thread(self._read, quotas, wait_s, resting)

    async def rewind(self) -> dict[TP, Start]:
        """Seek every assigned partition to the group's committed offset, or to its log's start; returns where to.

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

    def highwater(self, tp: TP) -> int:
        """Where the log ends as last known, for a reader of what is committed: before the first open transaction."""
        return cast(int, self._ensure_consumer().last_stable_offset(tp))

    async def _highwaters(self, partitions: Sequence[TP]) -> Mapping[TP, int]:  # pyright: ignore[reportIncompatibleMethodOverride]
        try:
            async with asyncio.timeout(_LAGS_S):
                return cast(Mapping[TP, int], await self._ensure_consumer().end_offsets(partitions))
        except TimeoutError as error:
            raise KafkaTimeoutError(f"Kafka does not say where its logs end for {_LAGS_S:.0f} s") from error

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        conf = self.app.conf
        return PulledConsumer(
            topic_of=transport.topic_of,
            client_id=conf.broker_client_id,
            group_id=conf.id,
            bootstrap_servers=",".join(server_list(transport.url, transport.default_port)),
            # Equal subscriptions and partition counts give partition p of every topic to one worker: one writer a row.
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset=conf.consumer_auto_offset_reset,
            max_poll_interval_ms=int(conf.broker_max_poll_interval * 1000),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=int(LONGEST_FETCH_S * 1000),
            request_timeout_ms=int(conf.broker_request_timeout * 1000),
            session_timeout_ms=int(conf.broker_session_timeout * 1000),
            rebalance_timeout_ms=int(conf.broker_rebalance_timeout * 1000),
            heartbeat_interval_ms=int(conf.broker_heartbeat_interval * 1000),
            **credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )

    async def _read(self, quotas: Sequence[Quota[TP]], wait_s: float, resting: Set[TP]) -> list[Reading]:
        consumer = self._pulled()
        return await consumer.read_spans(quotas, wait_s, resting) if self.consumer.flow_active else []

    async def _rewind(self) -> dict[TP, Start]:
        consumer = self._ensure_consumer()
        tps = list(consumer.assignment())
        committed = await self._pulled().committed_with_notes(tps)
        starts, ends = await consumer.beginning_offsets(tps), await consumer.end_offsets(tps)
        found: dict[TP, Start] = {}
        for tp in tps:
            done, note = committed.get(tp, (None, ""))
            offset = _start(tp, done, starts[tp], ends[tp])
            found[TP(tp.topic, tp.partition)] = Start(offset, folded_in(note))
            consumer.seek(tp, offset)
        return found

    async def _seek_back(self, tp: TP, offset: int) -> None:
        consumer = self._ensure_consumer()
        if tp in consumer.assignment():
            consumer.seek(TopicPartition(*tp), offset)

    def _folded(self, tp: TP) -> int:
        return cast(Any, self.consumer).folded(tp)

    def _wake(self) -> None:
        self._pulled().wake()

    def _pulled(self) -> PulledConsumer:
        return cast(PulledConsumer, self._ensure_consumer())

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        consumer = self._ensure_consumer()
        owned = consumer.assignment()
        try:
            async with asyncio.timeout(_COMMIT_S):
                await consumer.commit(
                    {
                        TopicPartition(*tp): OffsetAndMetadata(offset, note_of(self._folded(tp)))
                        for tp, offset in offsets.items()
                        if tp in owned
                    }
                )
        except TimeoutError:
            log.info("offsets not committed: Kafka did not acknowledge within %.0f s", _COMMIT_S)
            return False
        except CommitFailedError:
            # The group has gone on without this worker: its successor does the work again.
            log.info("offsets not committed: the group has rebalanced")
            return False
        return True


def note_of(folded: int) -> str:
    """What is noted beside a commit: the last record processed, where one is known."""
    return f"{_FOLDED}{folded}" if folded >= 0 else ""


def folded_in(note: str) -> int:
    """The inverse of `note_of`; -1 for what others have noted."""
    offset = note.removeprefix(_FOLDED)
    return int(offset) if note.startswith(_FOLDED) and offset.isdecimal() else -1


def _start(tp: TopicPartition, committed: int | None, first: int, end: int) -> int:
    if committed is None:
        return first
    if committed > end:
        raise TopicChanged(
            f"{tp.topic} partition {tp.partition} ends at {end}, but the group has committed {committed}: the topic "
            "was recreated or has lost data. Use another HEADRACE_GROUP with HEADRACE_ANSWER_AGAIN=on, or delete this "
            "group's offsets and features."
        )
    if committed < first:
        log.warning("%s/%d: retention has deleted offsets %d to %d", tp.topic, tp.partition, committed, first - 1)
    return max(committed, first)
