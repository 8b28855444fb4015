"""What a consumer that is asked for spans hands over while its partitions are dealt out anew."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from faust.types import TP
from worker_processes import PARTITIONS, produce

from headrace.connections.kafka import KafkaConnection
from headrace.topics import internal_topics, rekeyed
from infra.topics.admin import ensure_topics
from streams.kafka.transport.pulled_consumer import PulledConsumer
from streams.scheduler.reading import Quota


async def test_a_reading_that_outlasts_a_rebalance_takes_nothing_of_the_new_assignment(kafka: str) -> None:
    group = f"pulled-{uuid.uuid4().hex[:8]}"
    ensure_topics(KafkaConnection(kafka), internal_topics(group, PARTITIONS, 1))
    everything = [Quota([TP(rekeyed(group), p) for p in range(PARTITIONS)], records=100)]
    async with member(kafka, group) as (first, dealt):
        await dealt.until(PARTITIONS)
        waiting = asyncio.create_task(first.read_spans(everything, wait_s=60))
        await asyncio.sleep(0.1)  # it waits, for there is nothing
        async with member(kafka, group):
            await dealt.until(PARTITIONS // 2)
            await asyncio.to_thread(produce, kafka, rekeyed(group), PARTITIONS)
            assert await waiting == []
            [reading] = await first.read_spans(everything, wait_s=60)
            assert {span.begin for _, span in reading.spans} == {0}


class Dealt(ConsumerRebalanceListener):
    """How many partitions a member was dealt, each time anew."""

    def __init__(self) -> None:
        self._shares: asyncio.Queue[int] = asyncio.Queue()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Nothing is held."""

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._shares.put_nowait(len([*assigned]))

    async def until(self, share: int) -> None:
        async with asyncio.timeout(60):
            while await self._shares.get() != share:
                pass


@asynccontextmanager
async def member(kafka: str, group: str) -> AsyncIterator[tuple[PulledConsumer, Dealt]]:
    consumer, dealt = (
        PulledConsumer(
            bootstrap_servers=kafka,
            group_id=group,
            partition_assignment_strategy=[RangePartitionAssignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        ),
        Dealt(),
    )
    consumer.subscribe([rekeyed(group)], listener=dealt)
    await consumer.start()
    try:
        yield consumer, dealt
    finally:
        await consumer.stop()
