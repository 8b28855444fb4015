"""`headrace dead-letters`: what was refused, by reason, and its way back."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from headrace.errors import BadRecord, Reason
from headrace.messages.decoding import decode_event, decode_item, request_decoders
from headrace.recording.reading import Record
from headrace.settings.model import Settings
from headrace.topics import Topic, topics_of
from streams.recordings.traffic.capture import to_record
from streams.recordings.traffic.listening import KafkaRecord

ID: Final = "headrace.id"
_NONE: Final[Mapping[str, int]] = MappingProxyType({})


class DeadLetter(NamedTuple):
    """A refused record.

    Attributes:
        id: topic, partition and offset at which a producer had put it.
        reason, detail: why it was refused, a word and a sentence.
        record: as it was, with the topic it came from and the letter's id as a header; key and value are None where it
            was too large to carry.
    """

    id: str
    reason: str
    detail: str
    record: Record


def dead_letters(
    records: Iterable[KafkaRecord], reason: str | None = None, sent_back: Mapping[str, int] = _NONE
) -> Iterator[DeadLetter]:
    """The letters among records of `dead.letters`, each once, of one reason or of all.

    Args:
        sent_back: ids of letters that were, and when, ms; one that is newer is of a topic that was made anew.
    """
    seen: set[str] = set()
    for record in map(to_record, records):
        headers = dict(record.headers)
        if record.timestamp <= sent_back.get(headers.get(ID, ""), -1):
            continue
        letter = DeadLetter(
            headers.get(ID, ""),
            headers.get("headrace.reason", ""),
            headers.get("headrace.detail", ""),
            record._replace(topic=headers.get("headrace.topic", ""), headers=((ID, headers.get(ID, "")),)),
        )
        if letter.id and letter.id not in seen and reason in {None, letter.reason}:
            seen.add(letter.id)
            yield letter


def refusal(record: Record, settings: Settings, now_ms: int) -> BadRecord | None:
    """Why a worker would refuse the record if it came now; None when it would take it."""
    if record.topic not in topics_of(settings).inputs:
        # Found on a group's own topic, whose records say where they come from.
        return BadRecord(Reason.OUT_OF_RANGE, f"{record.topic!r} is no topic that producers send to")
    key = None if record.key is None else record.key.encode("utf-8", "surrogateescape")
    try:
        if record.topic == Topic.ITEMS:
            decode_item(key, record.value, appended_ms=now_ms, settings=settings)
        else:
            decode = request_decoders(settings).get(record.topic, decode_event)
            decode(record.value, appended_ms=now_ms, settings=settings)
    except BadRecord as bad:
        return bad
    return None
