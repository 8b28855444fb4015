"""Step 1: raw records become events and requests in their place in the log, or dead letters, or are sent on."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from headrace.errors import BadRecord, Reason
from headrace.messages.decoding import decode_event, decode_request
from headrace.messages.events import Event
from headrace.messages.requests import ScoreRequest
from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from headrace.topics import Topic, rekeyed
from streams.kafka.transport import PartitionBatch, RawRecord
from streams.pipeline.log_ends import HighestOffsets, beyond_log_end, parse_partition

ORIGIN_TOPIC = "headrace.topic"
ORIGIN_PARTITION = "headrace.partition"
ORIGIN_OFFSET = "headrace.offset"
ORIGIN_APPENDED = "headrace.appended"
_DIGITS: Final = 16


class RecordPosition(NamedTuple):
    """Where a record stood when a producer wrote it."""

    topic: str
    partition: int
    offset: int

    @property
    def origin(self) -> str:
        """The source of records as fences name it."""
        return f"{self.topic}/{self.partition}"

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}/{self.offset}"


class Accepted(NamedTuple):
    """One good record: the input, where it came from, and the record as it was read."""

    input: Event | ScoreRequest
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


class DecodedBatch(NamedTuple):
    """A batch, sorted out; each list keeps the order of the log."""

    accepted: list[Accepted]
    rejected: list[Rejected]
    misrouted: list[Misrouted]
    skipped_context: list[str]
    """Names of context pairs whose value is neither text nor a number: their events go on without them."""


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


def decode_batch(batch: PartitionBatch, settings: Settings, partitions: int) -> DecodedBatch:
    """Decode and validate a batch of `events`, `score.requests` or the rekeyed topic. Pure."""
    decoded = DecodedBatch([], [], [], [])
    decode: Callable[..., Event | ScoreRequest]
    decode = decode_request if batch.topic == Topic.SCORE_REQUESTS else decode_event
    forwarded = batch.topic == rekeyed(settings.group)
    for record in batch.records:
        position = position_of(record)
        try:
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
    """An intake in which forwarded events that claim a position beyond the end of their log are rejected. Pure."""
    if all(offset < ends[origin] for origin, offset in claimed_positions(batch, decoded, settings)):
        return decoded
    verified = DecodedBatch([], list(decoded.rejected), [], decoded.skipped_context)
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
