"""Step 1: raw records become events and requests in their place in the log, or dead letters, or are sent on."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from headrace.errors import BadRecord, Reason
from headrace.messages.decoding import Decode, decode_event
from headrace.messages.events import Event
from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from headrace.topics import TICK, Topic, rekeyed
from streams.kafka.transport import PartitionBatch, RawRecord
from streams.pipeline.log_ends import HighestOffsets, beyond_log_end, parse_partition

ORIGIN_TOPIC = "headrace.topic"
ORIGIN_PARTITION = "headrace.partition"
ORIGIN_OFFSET = "headrace.offset"
ORIGIN_APPENDED = "headrace.appended"
_DIGITS: Final = 16
_LONGER_DAY_MS: Final = 3_600_000
"""A window of days has an hour more where summer time ends."""


@lru_cache(maxsize=4_096)
def _origin_of(topic: str, partition: int) -> str:
    return f"{topic}/{partition}"


class RecordPosition(NamedTuple):
    """Where a record stood when a producer wrote it."""

    topic: str
    partition: int
    offset: int

    @property
    def origin(self) -> str:
        """The source of records as fences name it."""
        return _origin_of(self.topic, self.partition)

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Accepted(NamedTuple):
    """One good record: the input, where it came from, and the record as it was read.

    Attributes:
        input: an event, or a request of one of the scenarios' topics.
    """

    input: Any
    position: RecordPosition
    record: RawRecord

    @property
    def appended_ms(self) -> int:
        """When its producer's record was appended, wherever it was read."""
        return appended_ms(self.record, self.position)


class Rejected(NamedTuple):
    """One record that breaks the contract."""

    record: RawRecord
    position: RecordPosition
    error: BadRecord


class Misrouted(NamedTuple):
    """A good event found in a partition that does not own its shopper."""

    record: RawRecord
    event: Event
    position: RecordPosition


class Tick(NamedTuple):
    """A record of the rekeyed topic that says how far event time has come: a partition without events has no other.

    Attributes:
        offset: where it stands.
        time: event time, ms.
    """

    offset: int
    time: int


class DecodedBatch(NamedTuple):
    """A partition batch, decoded; each list keeps the order of the log.

    Attributes:
        skipped_context: names of context pairs whose value is neither text nor a number: their events go on without.
    """

    accepted: list[Accepted]
    rejected: list[Rejected]
    misrouted: list[Misrouted]
    skipped_context: list[str]
    ticks: list[Tick]


def position_of(record: RawRecord) -> RecordPosition:
    """Where a record was read."""
    return RecordPosition(record.topic, record.partition, record.offset)


def appended_ms(record: RawRecord, position: RecordPosition) -> int:
    """When a record was appended where its producer put it: its times are judged by that, forwarded or not."""
    if position.topic == record.topic:
        return record.timestamp
    # One that does not say so was forwarded by an earlier version; a claim is not believed beyond what can be.
    claimed = dict(record.headers).get(ORIGIN_APPENDED, b"")
    return min(int(claimed), record.timestamp) if claimed.isdigit() and len(claimed) < _DIGITS else record.timestamp


def decode_batch(
    batch: PartitionBatch, settings: Settings, partitions: int, requests: Mapping[str, Decode]
) -> DecodedBatch:
    """Decode and validate a partition batch of `events`, of the rekeyed topic, or of requests. Pure.

    Args:
        requests: how the requests of each topic are decoded.
    """
    decoded = DecodedBatch([], [], [], [], [])
    decode = requests.get(batch.topic, decode_event)
    forwarded = batch.topic == rekeyed(settings.group)
    for record in batch.records:
        position = position_of(record)
        try:
            if forwarded and (tick := _tick(record, settings)) is not None:
                decoded.ticks.append(tick)
                continue
            position = _claimed_position(record, partitions) if forwarded else position
            appended = appended_ms(record, position)
            input_ = decode(
                record.value, appended_ms=appended, settings=settings, on_skipped=decoded.skipped_context.append
            )
        except BadRecord as bad:
            decoded.rejected.append(Rejected(record, position, bad))
            continue
        if isinstance(input_, Event) and partition_of(input_.user_id, partitions) != batch.partition:
            decoded.misrouted.append(Misrouted(record, input_, position))
        else:
            decoded.accepted.append(Accepted(input_, position, record))
    return decoded


def claimed_positions(
    batch: PartitionBatch, decoded: DecodedBatch, settings: Settings
) -> Iterator[tuple[tuple[str, int], int]]:
    """Where the forwarded events of a batch say that they stood."""
    if batch.topic == rekeyed(settings.group):
        for position in (one.position for one in (*decoded.accepted, *decoded.misrouted)):
            yield (position.topic, position.partition), position.offset


def without_forged(
    batch: PartitionBatch, decoded: DecodedBatch, ends: HighestOffsets, settings: Settings
) -> DecodedBatch:
    """A decoded batch that rejects forwarded events which claim a position beyond the end of their log. Pure."""
    if all(offset < ends[origin] for origin, offset in claimed_positions(batch, decoded, settings)):
        return decoded
    verified = decoded._replace(accepted=[], rejected=list(decoded.rejected), misrouted=[])
    for one in (*decoded.accepted, *decoded.misrouted):
        position = one.position
        if position.offset >= (end := ends[position.topic, position.partition]):
            verified.rejected.append(Rejected(one.record, position_of(one.record), beyond_log_end(*position, end)))
        elif isinstance(one, Accepted):
            verified.accepted.append(one)
        else:
            verified.misrouted.append(one)
    return verified


def _claimed_position(record: RawRecord, partitions: int) -> RecordPosition:
    """Where a forwarded record says that it stood.

    Raises:
        BadRecord: it does not say so, as every record does that a worker forwards.
    """
    headers = dict(record.headers)
    try:
        topic, offset = headers[ORIGIN_TOPIC].decode(), int(headers[ORIGIN_OFFSET])
        partition = parse_partition(headers[ORIGIN_PARTITION].decode(), partitions)
    except KeyError as missing:
        raise _not_forwarded(Reason.MISSING_FIELD, f"the header {missing} is missing") from None
    except ValueError as error:
        raise _not_forwarded(Reason.OUT_OF_RANGE, f"its headers name no place: {error}") from None
    if topic != Topic.EVENTS or offset < 0:
        raise _not_forwarded(Reason.OUT_OF_RANGE, f"its headers name no place: {topic[:200]}/{partition}/{offset}")
    return RecordPosition(topic, partition, offset)


def _not_forwarded(reason: Reason, found: str) -> BadRecord:
    return BadRecord(reason, f"no worker has forwarded this record, for {found}: events are to be sent to `events`")


def _tick(record: RawRecord, settings: Settings) -> Tick | None:
    """The tick that a record is; None for a forwarded event.

    Raises:
        BadRecord: it is one that no worker and no replay can have sent.
    """
    claimed = dict(record.headers).get(TICK) if record.headers else None
    if claimed is None:
        return None
    last = record.timestamp + settings.future + settings.window + _LONGER_DAY_MS + settings.lateness
    if not claimed.isdigit() or len(claimed) > _DIGITS or int(claimed) > last:
        raise BadRecord(Reason.OUT_OF_RANGE, "no worker has sent this tick: its time lies in the future")
    return Tick(record.offset, int(claimed))
