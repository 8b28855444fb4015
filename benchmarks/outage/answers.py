"""From appended records to what an outage cost."""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import msgspec
import numpy as np
from msgspec import Struct, field

from headrace.messages.events import EventType
from headrace.settings.model import TRIGGERS
from headrace.topics import Topic
from streams.recordings.traffic.listening import KafkaRecord
from streams.serving.shopper_scorer.fallback import MODEL_UNAVAILABLE

IN_TIME_MS: Final = 200
_REQUESTING: Final = frozenset({*TRIGGERS, EventType.IMPRESSION})


class Moments(NamedTuple):
    """When it went, and when it answered again; ms since 1970 UTC."""

    gone: int
    back: int


class Outage(Struct, frozen=True):
    """What came of an outage. An event asks if it is a trigger or an impression.

    Attributes:
        requested: events appended from when it went until it answered again.
        answered: share of them answered at all, by the end.
        in_time: share of them answered within 200 ms.
        in_time_otherwise: the same of the events before it went.
        fallback_share: share of the answers to them that a fallback gave in the model's place.
        p99_ms: of the time from append to append, of their answers.
        resumed_s: from when it answered again until an answer that no fallback gave; 0 where no fallback was needed,
            None where none came.
        silence_s: the longest that a partition with events waiting had no answer.
    """

    requested: int = field(name="asked")
    answered: float
    in_time: float
    in_time_otherwise: float
    fallback_share: float = field(name="stood_in")
    p99_ms: float
    resumed_s: float | None
    silence_s: float


class _Message(Struct):
    event_id: str
    type: str = ""
    fallback: str | None = None


class _Outcome(NamedTuple):
    requested_ms: int
    partition: int
    answered: int | None
    by_fallback: bool


def judge(records: Iterable[KafkaRecord], moments: Moments) -> Outage:
    """Judge a run by all that was appended to `events` and to the topics of answers."""
    answers = sorted(_answers(records))
    meanwhile = [one for one in answers if moments.gone <= one.requested_ms < moments.back]
    before = [one for one in answers if one.requested_ms < moments.gone]
    waited = [one.answered - one.requested_ms for one in meanwhile if one.answered is not None]
    fallbacks = sum(one.by_fallback for one in meanwhile)
    full = [one.answered for one in answers if one.answered and one.answered >= moments.back and not one.by_fallback]
    return Outage(
        requested=len(meanwhile),
        answered=round(len(waited) / max(len(meanwhile), 1), 5),
        in_time=_in_time(meanwhile),
        in_time_otherwise=_in_time(before),
        fallback_share=round(fallbacks / max(len(waited), 1), 5),
        p99_ms=round(float(np.percentile(waited, 99)), 1) if waited else 0.0,
        resumed_s=_resumed(full, moments.back) if fallbacks else 0.0,
        silence_s=round(max(_silences(answers, moments.gone), default=0) / 1_000, 3),
    )


def _answers(records: Iterable[KafkaRecord]) -> list[_Outcome]:
    """Every event that requests an answer, with its first answer."""
    decode = msgspec.json.Decoder(_Message).decode
    requested: dict[str, tuple[int, int]] = {}
    answered: dict[str, tuple[int, bool]] = {}
    for record in records:
        message = decode(record.value or b"{}")
        if record.topic == Topic.EVENTS:
            if message.type in _REQUESTING:
                requested[message.event_id] = (record.timestamp, record.partition)
        else:
            answered.setdefault(message.event_id, (record.timestamp, message.fallback == MODEL_UNAVAILABLE))
    unanswered = (None, False)
    return [_Outcome(*place, *answered.get(event_id, unanswered)) for event_id, place in requested.items()]


def _resumed(full: Sequence[int], back: int) -> float | None:
    return round((min(full) - back) / 1_000, 3) if full else None


def _in_time(answers: Sequence[_Outcome]) -> float:
    in_time = sum(one.answered is not None and one.answered - one.requested_ms <= IN_TIME_MS for one in answers)
    return round(in_time / max(len(answers), 1), 5)


def _silences(answers: Sequence[_Outcome], gone: int) -> list[int]:
    """Of each partition: the longest time after `gone` from an answer to the next, ms."""
    longest: list[int] = []
    for partition in {one.partition for one in answers}:
        times = sorted(one.answered for one in answers if one.partition == partition and one.answered is not None)
        since = [max([gone, *(t for t in times if t < gone)]), *(t for t in times if t >= gone)]
        longest.append(max(np.diff(since).tolist(), default=0))
    return longest
