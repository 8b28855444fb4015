"""Step 1: raw records become events and requests in their place in the log, or dead letters, or are sent on."""

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from streams.engine.origins import Claims, not_there, parse_partition
from streams.engine.partitions import partition_of
from streams.errors import BadRecord, Reason
from streams.messages.decoding import decode_event, decode_request
from streams.messages.events import Event
from streams.messages.requests import ScoreRequest
from streams.settings import Settings
from streams.topics import Topic, rekeyed
from streams.transport import RawRecord, RecordChunk

ORIGIN_TOPIC = "headrace.topic"
ORIGIN_PARTITION = "headrace.partition"
ORIGIN_OFFSET = "headrace.offset"
ORIGIN_APPENDED = "headrace.appended"
_DIGITS: Final = 16


class Place(NamedTuple):
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


class Taken(NamedTuple):
    """One good record: the cause, where it came from, and the record as it was read."""

    cause: Event | ScoreRequest
    place: Place
    record: RawRecord

    @property
    def appended_ms(self) -> int:
        """When its producer's record was appended, wherever it was read."""
        return appended_ms(self.record, self.place)


class Refused(NamedTuple):
    """One record that breaks the contract."""

    record: RawRecord
    place: Place
    why: BadRecord


class Misplaced(NamedTuple):
    """A good event found in a partition that does not own its shopper."""

    record: RawRecord
    event: Event
    place: Place


class Intake(NamedTuple):
    """A chunk, sorted out; each list keeps the order of the log."""

    taken: list[Taken]
    refused: list[Refused]
    misplaced: list[Misplaced]
    left_out: list[str]
    """Names of context pairs whose value is neither text nor a number: their events go on without them."""


def found_at(record: RawRecord) -> Place:
    """Where a record was read."""
    return Place(record.topic, record.partition, record.offset)


def appended_ms(record: RawRecord, place: Place) -> int:
    """When a record was appended where its producer put it: its times are judged by that, forwarded or not."""
    if place.topic == record.topic:
        return record.timestamp
    # One that does not say so was forwarded by an earlier version; what is said is not believed beyond what can be.
    told = dict(record.headers).get(ORIGIN_APPENDED, b"")
    return min(int(told), record.timestamp) if told.isdigit() and len(told) < _DIGITS else record.timestamp


def take_in(chunk: RecordChunk, settings: Settings, partitions: int) -> Intake:
    """Decode and validate a chunk of `events`, `score.requests` or the rekeyed topic. Pure."""
    intake = Intake([], [], [], [])
    decode: Callable[..., Event | ScoreRequest]
    decode = decode_request if chunk.topic == Topic.SCORE_REQUESTS else decode_event
    forwarded = chunk.topic == rekeyed(settings.group)
    for record in chunk.records:
        place = found_at(record)
        try:
            place = _origin(record, partitions) if forwarded else place
            appended = appended_ms(record, place)
            cause = decode(record.value, appended_ms=appended, settings=settings, left_out=intake.left_out.append)
        except BadRecord as bad:
            intake.refused.append(Refused(record, place, bad))
            continue
        if isinstance(cause, Event) and partition_of(cause.user_id, partitions) != chunk.partition:
            intake.misplaced.append(Misplaced(record, cause, place))
        else:
            intake.taken.append(Taken(cause, place, record))
    return intake


def claims(chunk: RecordChunk, intake: Intake, settings: Settings) -> Iterator[tuple[tuple[str, int], int]]:
    """Where the forwarded events of a chunk say that they stood."""
    if chunk.topic == rekeyed(settings.group):
        for place in (one.place for one in (*intake.taken, *intake.misplaced)):
            yield (place.topic, place.partition), place.offset


def without_forged(chunk: RecordChunk, intake: Intake, ends: Claims, settings: Settings) -> Intake:
    """An intake in which forwarded events that say they stood beyond the end of their log are refused. Pure."""
    if all(offset < ends[origin] for origin, offset in claims(chunk, intake, settings)):
        return intake
    kept = Intake([], list(intake.refused), [], intake.left_out)
    for one in (*intake.taken, *intake.misplaced):
        place = one.place
        if place.offset >= (end := ends[place.topic, place.partition]):
            kept.refused.append(Refused(one.record, found_at(one.record), not_there(*place, end)))
        elif isinstance(one, Taken):
            kept.taken.append(one)
        else:
            kept.misplaced.append(one)
    return kept


def _origin(record: RawRecord, partitions: int) -> Place:
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
    return Place(topic, partition, offset)


def _not_forwarded(reason: Reason, found: str) -> BadRecord:
    return BadRecord(reason, f"no worker has forwarded this record, for {found}: events are to be sent to `events`")
