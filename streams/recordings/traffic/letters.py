"""The letters on `dead.letters` that wait for somebody: those that nobody has mended and sent back.

What was sent back stands on an internal topic, one mark a letter: every machine reads it, and it keeps its marks as
long as `dead.letters` keeps its letters.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from headrace.recording.reading import Record
from headrace.settings.model import Settings
from headrace.topics import Topic, TopicSpec, is_sent_back, sent_back
from infra.topics.admin import describe, ensure_topics
from streams.kafka.admin.broker import Broker
from streams.recordings.traffic.dead_letters import DeadLetter, dead_letters
from streams.recordings.traffic.listening import KafkaRecord, Listener
from streams.recordings.traffic.replaying import Replayer

_WEEK_MS: Final = str(7 * 86_400_000)
_RETENTION: Final = "retention.ms"

Marks = Mapping[str, int]
"""Ids of letters that were sent back, and when for the last time, ms since 1970 UTC."""


def waiting_letters(settings: Settings, reason: str | None = None) -> list[DeadLetter]:
    """The letters of one reason or of all that were not sent back, each once, oldest first.

    Raises:
        UsageError: there is no topic `dead.letters`.
        StackError: Kafka does not answer.
    """
    return list(dead_letters(_all(settings, [Topic.DEAD_LETTERS]), reason, marks(settings)))


def marks(settings: Settings) -> Marks:
    """Which letters were sent back, under whatever group: letters are of the topics."""
    kafka = settings.kafka_connection
    with Broker(kafka) as broker:
        ours = [kafka.topic_of(name) for name in broker.names() if name.startswith(kafka.prefix)]
    topics = sorted(filter(is_sent_back, ours))
    found: dict[str, int] = {}
    for record in _all(settings, topics) if topics else []:
        letter = (record.key or b"").decode("utf-8", "replace")
        found[letter] = max(record.timestamp, found.get(letter, 0))
    return found


def mark_sent_back(settings: Settings, replayer: Replayer, letters: Iterable[str]) -> None:
    """Note for every machine that these letters, by their ids, were sent back.

    Raises:
        StackError, StreamError: Kafka does not take it; the letters are sent back, and will be listed again.
    """
    now = time.time_ns() // 1_000_000
    ensure_topics(settings.kafka_connection, [_spec(settings)])
    topic, value = sent_back(settings.group), msgspec.json.encode({"sent_back_at": now})
    replayer.send(Record(topic=topic, key=letter, timestamp=now, value=value) for letter in letters)


def _spec(settings: Settings) -> TopicSpec:
    letters = describe(settings.kafka_connection, [Topic.DEAD_LETTERS]).get(Topic.DEAD_LETTERS)
    kept = ((letters.config if letters else None) or {}).get(_RETENTION, _WEEK_MS)
    return TopicSpec(
        sent_back(settings.group),
        1,
        settings.replication,
        {"message.timestamp.type": "LogAppendTime", _RETENTION: kept},
    )


def _all(settings: Settings, topics: Sequence[str]) -> list[KafkaRecord]:
    with Listener(settings.kafka_connection, topics, from_beginning=True) as listener:
        return listener.until_now()
