"""How long answers took, minute by minute."""

from collections import defaultdict
from typing import Final

import numpy as np
from kafka.structs import TopicPartition
from msgspec import Struct

from benchmarks.race.measuring import appended
from headrace.topics import Topic
from streams.kafka.admin.broker import Offsets

_MINUTE_MS: Final = 60_000
_PARTITION: Final = 0
"""One of them is enough, and events and their answers share it: all are keyed by their shopper."""


class Minute(Struct):
    """From append of an event to append of its answer, ms, of the events of a minute."""

    minute: int
    answers: int
    p50: float
    p99: float


def by_minute(address: str, before: Offsets, after: Offsets) -> list[Minute]:
    """Latency of a partition's answers, by the minute in which their events were appended.

    Args:
        before, after: ends of `events` and `recommendations` when the load began and when it was over.
    """
    places = [TopicPartition(topic, _PARTITION) for topic in (Topic.EVENTS, Topic.RECOMMENDATIONS)]
    found = appended(address, {place: before[place] for place in places}, {place: after[place] for place in places})
    appended_ms = {event: ms for topic, event, ms in found if topic == Topic.EVENTS}
    began = min(appended_ms.values(), default=0)
    waited: defaultdict[int, list[int]] = defaultdict(list)
    for topic, event, ms in found:
        if topic != Topic.EVENTS and event in appended_ms:
            waited[(appended_ms[event] - began) // _MINUTE_MS].append(ms - appended_ms[event])
    return [_minute(minute, delays) for minute, delays in sorted(waited.items())]


def _minute(minute: int, waited: list[int]) -> Minute:
    p50, p99 = np.percentile(waited, (50, 99))
    return Minute(minute, len(waited), round(float(p50), 1), round(float(p99), 1))
