"""Keeps a catalogue caught up with `items`: read in bulk by every worker, outside the consumer group (rule 7)."""

import asyncio
import logging
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from headrace.errors import BadRecord
from headrace.messages.decoding import decode_item
from headrace.messages.items import Withdrawn
from headrace.settings.model import Settings
from headrace.topics import MAX_MESSAGE_BYTES, Topic
from streams.kafka.transport.committed_consumer import CommittedConsumer
from streams.serving.catalogue.append_order import append_order
from streams.serving.catalogue.catalogue import Catalogue

logger = logging.getLogger(__name__)


class CatalogueFollower:
    """Reads all partitions of `items` from the beginning and follows them."""

    def __init__(
        self,
        settings: Settings,
        consumer: AIOKafkaConsumer,
        offsets_consumer: AIOKafkaConsumer,
        partitions: list[TopicPartition],
        catalogue: Catalogue,
    ) -> None:
        self._settings = settings
        self._consumer = consumer
        self._offsets_consumer = offsets_consumer
        self._partitions = partitions
        self._lock = asyncio.Lock()
        self._rounds = 0
        self._reached: dict[TopicPartition, int] = {}
        self.catalogue = catalogue

    @classmethod
    async def open(cls, settings: Settings, partitions: int, withdrawn: Mapping[str, int]) -> "CatalogueFollower":
        """Connect and read the catalogue to its present end.

        Args:
            withdrawn: by what append which items were withdrawn whose older record is kept for ever, in another
                partition; Kafka forgets the withdrawal after a day.
        """
        consumer, offsets_consumer = _consumer(settings), _consumer(settings)
        await asyncio.gather(consumer.start(), offsets_consumer.start())
        items = settings.kafka_connection.name_of(Topic.ITEMS)
        tps = [TopicPartition(items, p) for p in range(partitions)]
        consumer.assign(tps)
        await consumer.seek_to_beginning(*tps)
        catalogue = Catalogue()
        for item_id, order in withdrawn.items():
            catalogue.withdraw(item_id, order)
        follower = cls(settings, consumer, offsets_consumer, tps, catalogue)
        await follower.catch_up()
        return follower

    async def catch_up(self) -> None:
        """Read to the end offsets as they are now: what was produced to `items` before this call is known after it."""
        rounds = self._rounds
        async with self._lock:
            if self._rounds > rounds:
                return  # another batch's round began after this call, and so has read as far
            self._rounds += 1
            await self._read_on()

    async def _read_on(self) -> None:
        # Asked on a connection of its own: on the other, a fetch that waits for records holds the answer back.
        ends = await self._offsets_consumer.end_offsets(self._partitions)
        if ends == self._reached:
            return
        while await self._behind(ends):
            batches = await self._consumer.getmany(*self._partitions, timeout_ms=200, max_records=5_000)
            for records in batches.values():
                for record in records:
                    self._apply(record)
        self._reached = ends

    async def close(self) -> None:
        """Leave the topic."""
        await asyncio.gather(self._consumer.stop(), self._offsets_consumer.stop())

    async def _behind(self, ends: dict[TopicPartition, int]) -> bool:
        return any([await self._consumer.position(tp) < end for tp, end in ends.items()])

    def _apply(self, record: ConsumerRecord[bytes, bytes]) -> None:
        try:
            item = decode_item(record.key, record.value, appended_ms=record.timestamp, settings=self._settings)
        except BadRecord as bad:
            # The item pipeline owns this record and sends the dead letter; here it only stays out of the catalogue.
            logger.debug("items/%d/%d not in the catalogue: %s", record.partition, record.offset, bad)
            return
        order = append_order(record.timestamp, record.partition)
        if isinstance(item, Withdrawn):
            self.catalogue.withdraw(item.item_id, order)
        else:
            self.catalogue.put(item, order)


def _consumer(settings: Settings) -> AIOKafkaConsumer:
    return CommittedConsumer(
        **settings.kafka_connection.options(),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=MAX_MESSAGE_BYTES,
    )
