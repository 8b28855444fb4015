"""Step 5: all outputs of a batch, produced in Kafka batches, one wait for all acks."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, KafkaUnavailableError
from aiokafka.producer.message_accumulator import BatchBuilder
from msgspec import Struct

from headrace.errors import BadRecord, StreamError
from headrace.messages.internal import ItemUpdateBatch
from headrace.partitioning import partition_of
from headrace.settings.model import Compression, Settings
from headrace.topics import BATCH_BYTES, MAX_MESSAGE_BYTES, TICK, Topic, item_updates, rekeyed
from infra.topics.check import Outputs
from streams.kafka.transport import RawRecord
from streams.pipeline.shoppers.decode import (
    ORIGIN_APPENDED,
    ORIGIN_OFFSET,
    ORIGIN_PARTITION,
    ORIGIN_TOPIC,
    Misrouted,
    RecordPosition,
    appended_ms,
)
from streams.pipeline.shoppers.tracing import Headers, context_of

_HEADER_ROOM = 4_096
"""A record that was compressed may be larger than any message: its dead letter says where it is, without its bytes."""


class Message(NamedTuple):
    """A record to produce, stamped as it goes out: event time is inside, and on it retention would go by it."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()


class Outbox:
    """Collects a batch's messages by partition, in order. Holds no connection; `Producer.send` takes it whole."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._group = settings.group
        self.partitions = partitions
        self._json = msgspec.json.Encoder()
        self._msgpack = msgspec.msgpack.Encoder()
        self.messages: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)

    def add(self, topic: str, key: str, value: Struct, headers: Headers = ()) -> None:
        """Add one output, as JSON."""
        message = Message(key.encode(), self._json.encode(value), headers)
        self.messages[topic, partition_of(key, self.partitions)].append(message)

    def dead_letter(self, record: RawRecord, position: RecordPosition, error: BadRecord) -> None:
        """Add a dead letter: the original bytes, the reason in headers."""
        headers = (
            ("headrace.id", str(position).encode()),
            ("headrace.reason", error.reason.encode()),
            ("headrace.detail", error.detail.encode("utf-8", "replace")),
            *_origin_headers(position),
        )
        fits = record.size <= MAX_MESSAGE_BYTES - _HEADER_ROOM
        message = Message(*((record.key, record.value) if fits else (None, None)), headers)
        self.messages[Topic.DEAD_LETTERS, position.partition % self.partitions].append(message)

    def forward(self, misrouted: Misrouted) -> None:
        """Add an event for the partition that owns its shopper, carrying where and when it came from (rule 1)."""
        appended = str(appended_ms(misrouted.record, misrouted.position)).encode()
        user_id = misrouted.event.user_id
        message = Message(
            user_id.encode(),
            misrouted.record.value,
            (*context_of(misrouted.record), *_origin_headers(misrouted.position), (ORIGIN_APPENDED, appended)),
        )
        target = rekeyed(self._group), partition_of(user_id, self.partitions)
        self.messages[target].append(message)

    def tick(self, partition: int, time: int) -> None:
        """Add a tick: how far event time has come in a partition that nothing else tells of."""
        message = Message(None, None, ((TICK, str(time).encode()),))
        self.messages[rekeyed(self._group), partition].append(message)

    def add_item_updates(self, partition: int, batch: ItemUpdateBatch) -> None:
        """Add a batch of item updates and watermarks for one partition of the item pipeline."""
        message = Message(None, self._msgpack.encode(batch))
        self.messages[item_updates(self._group), partition].append(message)


def _origin_headers(position: RecordPosition) -> Headers:
    return (
        (ORIGIN_TOPIC, position.topic.encode()),
        (ORIGIN_PARTITION, str(position.partition).encode()),
        (ORIGIN_OFFSET, str(position.offset).encode()),
    )


class Producer:
    """Sends outboxes whole and in order."""

    def __init__(self, producer: AIOKafkaProducer, outputs: Outputs, name_of: Callable[[str], str] = str) -> None:
        self._producer = producer
        self._outputs = outputs
        self._name_of = name_of
        self._failed = False

    @classmethod
    async def open(cls, settings: Settings, outputs: Outputs) -> "Producer":
        """Connect an idempotent producer."""
        kafka = settings.kafka_connection
        producer = AIOKafkaProducer(
            **kafka.options(),
            enable_idempotence=True,
            acks="all",
            # Counted before it is compressed, so that whatever fits in here fits on the broker.
            max_batch_size=BATCH_BYTES,
            compression_type=None if settings.compression is Compression.NONE else settings.compression.value,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=30_000,
        )
        await producer.start()
        return cls(producer, outputs, kafka.name_of)

    async def send(self, outbox: Outbox, on_queued: Callable[[], None] | None = None) -> None:
        """Produce everything and wait for the acks. The outbox is used up: what is sent holds the bytes by then.

        Args:
            on_queued: called as soon as whatever is sent from now on comes after all of this. From then on a failure is
                one for good: what was queued behind may go out, and this again after it, so that outputs change places
                and fences pass what was not counted.

        Raises:
            KafkaError: Kafka is away. Nothing is known of what went out: all of it is to be sent again, ids equal.
            StreamError: Kafka refuses for good, which a new producer may mend: the worker is to start again.
        """
        behind = False
        try:
            acks = [
                ack
                for (topic, partition), messages in by_target_partition(outbox, self._outputs).items()
                for ack in await self._queue(self._name_of(topic), partition, messages)
            ]
            outbox.messages.clear()
            if on_queued is not None:
                on_queued()
                behind = True
            await asyncio.gather(*acks)
        except KafkaError as error:
            if is_transient(error) and not behind:
                raise
            self._failed = True
            raise StreamError(f"Kafka refuses this worker's outputs ({error!r}): start it again.") from error

    async def close(self) -> None:
        """Flush and disconnect; what was queued behind outputs that are lost is not to go out."""
        if not self._failed:
            await self._producer.stop()

    async def _queue(self, topic: str, partition: int, messages: list[Message]) -> list["asyncio.Future[object]"]:
        acks: list[asyncio.Future[object]] = []
        batch = self._producer.create_batch()
        for m in messages:
            if not _add(batch, m):
                acks.append(await self._producer.send_batch(batch, topic, partition=partition))
                batch = self._producer.create_batch()
                _add(batch, m)
        acks.append(await self._producer.send_batch(batch, topic, partition=partition))
        return acks


def by_target_partition(outbox: Outbox, outputs: Outputs) -> Mapping[tuple[str, int], list[Message]]:
    """The messages by partition, on topics that may have another number of them than `events`, as they take them."""
    messages = outbox.messages
    if outputs.letter_bytes < MAX_MESSAGE_BYTES:
        for (topic, _), letters in messages.items():
            if topic == Topic.DEAD_LETTERS:
                letters[:] = [_fit_letter(letter, outputs.letter_bytes - _HEADER_ROOM) for letter in letters]
    if all(outputs.partitions.get(topic, outbox.partitions) == outbox.partitions for topic, _ in messages):
        return messages
    found: defaultdict[tuple[str, int], list[Message]] = defaultdict(list)
    for (topic, partition), some in messages.items():
        count = outputs.partitions.get(topic, outbox.partitions)
        for message in some:
            found[topic, _target_partition(topic, partition, message, count, outbox.partitions)].append(message)
    return found


def _target_partition(topic: str, partition: int, message: Message, count: int, usual: int) -> int:
    if count == usual:
        return partition
    if topic == Topic.DEAD_LETTERS or message.key is None:
        return partition % count  # the source's, whose key may be anything
    return partition_of(message.key.decode(), count)


def _fit_letter(letter: Message, limit: int) -> Message:
    fits = len(letter.key or b"") + len(letter.value or b"") <= limit
    return letter if fits else letter._replace(key=None, value=None)


def is_transient(error: KafkaError) -> bool:
    """Whether waiting can mend it: aiokafka calls its own time-outs final, though Kafka may only be away."""
    return error.retriable or isinstance(error, KafkaTimeoutError | KafkaUnavailableError)


def _add(batch: BatchBuilder, m: Message) -> bool:
    added = batch.append(timestamp=None, key=m.key, value=m.value, headers=list(m.headers))
    return added is not None
