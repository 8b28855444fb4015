"""Where records of a group's own topics say that they come from: anyone who can write there can say anything.

A fence that believed an offset which no record has would pass over all that its origin ever brings.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from feature_repo.basics.actions import ACTIONS
from feature_repo.items.scopes import SHARDS, kind_and_name
from headrace.connections.kafka import KafkaConnection
from headrace.errors import BadRecord, Reason
from headrace.messages.events import MOST
from headrace.messages.internal import Entry, ItemUpdate, ItemUpdateBatch, SeriesUpdate, Watermark
from headrace.settings.model import Settings
from headrace.topics import Topic, rekeyed
from streams.kafka.transport.committed_consumer import CommittedConsumer

REPLAY: Final = "replay"
"""Topic, as it were, of the markers that end a replay: no record of a topic caused them."""

_ACTION_COUNT: Final = len(ACTIONS)
_MAX_PRICE: Final = MOST * 100
_MIN_PRICE: Final = -1 - MOST * 1_000_000
"""Prices as `feature_repo.basics.money` holds them: in hundredths, or below -1 in millionths."""

HighestOffsets = Mapping[tuple[str, int], int]
"""The highest offset that is named, by topic and partition."""


class LogEnds:
    """Where the logs end that this group's own records come from, asked again where one claims to lie beyond."""

    def __init__(self, consumer: AIOKafkaConsumer, kafka: KafkaConnection) -> None:
        self._consumer = consumer
        self._kafka = kafka
        self._ends: dict[tuple[str, int], int] = {}

    @classmethod
    async def open(cls, settings: Settings) -> "LogEnds":
        """Connect."""
        kafka = settings.kafka_connection
        consumer = CommittedConsumer(**kafka.options(), enable_auto_commit=False)
        await consumer.start()
        return cls(consumer, kafka)

    async def ends_for(self, claimed: HighestOffsets) -> HighestOffsets:
        """For each origin that is named, an end that lies beyond the highest offset named, or the present one.

        Whoever forwards a record has read it, so that its log reaches that far by now.

        Raises:
            KafkaError: Kafka is away.
        """
        beyond = [
            TopicPartition(self._kafka.name_of(topic), partition)
            for (topic, partition), offset in claimed.items()
            if offset >= self._ends.get((topic, partition), 0)
        ]
        if beyond:
            ends = await self._consumer.end_offsets(beyond)
            self._ends |= {(self._kafka.topic_of(tp.topic), tp.partition): end for tp, end in ends.items()}
        return {origin: self._ends[origin] for origin in claimed}

    async def close(self) -> None:
        """Disconnect."""
        await self._consumer.stop()


def highest(named: Iterable[tuple[tuple[str, int], int]]) -> dict[tuple[str, int], int]:
    """The highest offset of each origin."""
    found: dict[tuple[str, int], int] = {}
    for origin, offset in named:
        found[origin] = max(offset, found.get(origin, -1))
    return found


def beyond_log_end(topic: str, partition: int, offset: int, end: int) -> BadRecord:
    """Why a record is refused that says it stems from beyond the end of a log."""
    return BadRecord(
        Reason.OUT_OF_RANGE,
        f"it says that it stems from {topic}/{partition}/{offset}, but that log ends at {end}: only workers are to "
        "write to this topic",
    )


def parse_partition(text: str, partitions: int) -> int:
    """The partition that is named.

    Raises:
        ValueError: it is no number, or there is no such partition.
    """
    if not 0 <= (partition := int(text)) < partitions:
        raise ValueError(text)
    return partition


def batch_origin(batch: ItemUpdateBatch, group: str, partitions: int) -> tuple[str, int] | None:
    """The topic and partition whose records caused a batch; None for the end of a replay.

    Raises:
        BadRecord: no worker of this group sends such a batch.
    """
    topic, _, number = batch.origin.rpartition("/")
    try:
        partition = parse_partition(number, partitions)
    except ValueError:
        raise _invalid_batch("origin", batch.origin) from None
    if topic not in {Topic.EVENTS, rekeyed(group), REPLAY}:
        raise _invalid_batch("origin", batch.origin)
    if not 0 <= batch.source < partitions:
        raise _invalid_batch("source", batch.source)
    return None if topic == REPLAY else (topic, partition)


def highest_entry(batch: ItemUpdateBatch, latest_ms: int) -> int:
    """The highest offset that the entries name; -1 where none names any.

    Args:
        latest_ms: no event that a worker takes in lies later.

    Raises:
        BadRecord: no event gives rise to such an entry.
    """
    highest_offset = max([entry.offset for entry in batch.entries], default=-1)
    for entry in batch.entries:
        if not _is_possible(entry, latest_ms):
            raise _invalid_batch("entry", entry)
    if highest_offset >= 0 and batch.origin.startswith(f"{REPLAY}/"):
        raise _invalid_batch("origin", batch.origin)
    return highest_offset


def _is_possible(entry: Entry, latest_ms: int) -> bool:
    if isinstance(entry, Watermark):
        return entry.time <= latest_ms
    if entry.offset < 0 or not 0 <= entry.timestamp <= latest_ms:
        return False
    if isinstance(entry, ItemUpdate):
        return _is_possible_update(entry)
    return not isinstance(entry, SeriesUpdate) or (
        _is_possible_shard(entry.shard, entry.key) and all(abs(count) <= MOST for count in entry.counts)
    )


def _is_possible_update(update: ItemUpdate) -> bool:
    return (
        0 <= update.action < _ACTION_COUNT
        and 1 <= update.quantity <= MOST
        and _MIN_PRICE <= update.price_cents <= _MAX_PRICE
        and _is_possible_shard(update.shard, update.item_id)
    )


def _is_possible_shard(shard: int, key: str) -> bool:
    """Whether a key has such a shard: an item, whatever its id, has none."""
    return shard == -1 or (0 <= shard < SHARDS and kind_and_name(key)[0] not in {"item", "series"})


def _invalid_batch(field: str, value: object) -> BadRecord:
    return BadRecord(Reason.OUT_OF_RANGE, f"no worker sends this {field}: {str(value)[:200]!r}")
