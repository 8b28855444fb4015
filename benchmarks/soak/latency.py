"""How long answers took, minute by minute."""

from collections import defaultdict
from typing import Final

import msgspec
import numpy as np
from kafka import KafkaConsumer
from kafka.structs import TopicPartition
from msgspec import Struct

from streams.recordings.traffic.broker import Offsets
from streams.topics import Topic

_MINUTE_MS: Final = 60_000
_PARTITION: Final = 0
"""One of them is enough, and events and their answers share it: all are keyed by their shopper."""


class Minute(Struct):
    """From append of an event to append of its answer, ms, of the events of a minute."""

    minute: int
    answers: int
    p50: float
    p99: float


class _Head(Struct):
    event_id: str


def by_minute(address: str, before: Offsets, after: Offsets) -> list[Minute]:
    """Latency of a partition's answers, by the minute in which their events were appended.

    Args:
        before, after: ends of `events` and `recommendations` when the load began and when it was over.
    """
    asked: dict[str, int] = {}
    waited: defaultdict[int, list[int]] = defaultdict(list)
    began = 0
    for topic in (Topic.EVENTS, Topic.RECOMMENDATIONS):
        place = TopicPartition(topic, _PARTITION)
        for event_id, appended in _appended(address, place, before[place], after[place]):
            if topic is Topic.EVENTS:
                began = began or appended
                asked[event_id] = appended
            elif event_id in asked:
                waited[(asked[event_id] - began) // _MINUTE_MS].append(appended - asked[event_id])
    return [_minute(minute, found) for minute, found in sorted(waited.items())]


def _minute(minute: int, waited: list[int]) -> Minute:
    p50, p99 = np.percentile(waited, (50, 99))
    return Minute(minute, len(waited), round(float(p50), 1), round(float(p99), 1))


def _appended(address: str, place: TopicPartition, begin: int, end: int) -> list[tuple[str, int]]:
    """Event id and append time of a stretch of a partition."""
    consumer = KafkaConsumer(bootstrap_servers=address, enable_auto_commit=False, max_poll_records=5_000)
    consumer.assign([place])
    consumer.seek(place, begin)
    decode = msgspec.json.Decoder(_Head).decode
    found: list[tuple[str, int]] = []
    while consumer.position(place) < end:
        for records in consumer.poll(timeout_ms=1_000).values():
            found += [(decode(record.value).event_id, record.timestamp) for record in records]
    consumer.close()
    return found
