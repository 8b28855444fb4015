"""Step 1: raw records become events and requests in their place in the log, or dead letters, or are sent on."""

from collections.abc import Callable
from typing import NamedTuple

from streams.engine.partitions import partition_of
from streams.errors import BadRecord
from streams.messages.decoding import decode_event, decode_request
from streams.messages.events import Event
from streams.messages.requests import ScoreRequest
from streams.settings import Settings
from streams.topics import Topic, rekeyed
from streams.transport import RawRecord, RecordChunk

ORIGIN_TOPIC = "headrace.topic"
ORIGIN_PARTITION = "headrace.partition"
ORIGIN_OFFSET = "headrace.offset"


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


def take_in(chunk: RecordChunk, settings: Settings, partitions: int) -> Intake:
    """Decode and validate a chunk of `events`, `score.requests` or the rekeyed topic. Pure."""
    intake = Intake([], [], [], [])
    decode: Callable[..., Event | ScoreRequest]
    decode = decode_request if chunk.topic == Topic.SCORE_REQUESTS else decode_event
    forwarded = chunk.topic == rekeyed(settings.group)
    for record in chunk.records:
        place = _origin(record) if forwarded else found_at(record)
        try:
            cause = decode(
                record.value, appended_ms=record.timestamp, settings=settings, left_out=intake.left_out.append
            )
        except BadRecord as bad:
            intake.refused.append(Refused(record, place, bad))
            continue
        if isinstance(cause, Event) and partition_of(cause.user_id, partitions) != chunk.partition:
            intake.misplaced.append(Misplaced(record, cause, place))
        else:
            intake.taken.append(Taken(cause, place, record))
    return intake


def _origin(record: RawRecord) -> Place:
    headers = dict(record.headers)
    return Place(headers[ORIGIN_TOPIC].decode(), int(headers[ORIGIN_PARTITION]), int(headers[ORIGIN_OFFSET]))
