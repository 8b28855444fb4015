"""How long a worker's first step takes over one malformed record that is as large as may be."""

import time
from random import Random
from typing import Final

from benchmarks.malformed.long import LONG
from benchmarks.malformed.making import good_event
from benchmarks.malformed.record import Malformed
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.kafka.transport import PartitionBatch, RawRecord
from streams.pipeline import batch_log
from streams.pipeline.emit import Outbox
from streams.pipeline.shoppers.decode import decode_batch

_TIMES: Final = 5
"""The fastest counts, and of it the time of the CPU: what others do on the machine is no cost of the record's."""


def slowest_refusal(settings: Settings) -> tuple[str, float]:
    """Of the forms in `LONG` the one that is refused slowest, and its milliseconds."""
    now_ms = time.time_ns() // 1_000_000
    event = good_event(Random(0), 0, now_ms)
    took = {name: refusal_ms(make(event, settings.max_event_bytes), now_ms, settings) for name, make in LONG.items()}
    return max(took.items(), key=lambda one: one[1])


def refusal_ms(one: Malformed, now_ms: int, settings: Settings) -> float:
    """Milliseconds of the CPU from the record's bytes to its dead letter and the ids in the log."""
    part = PartitionBatch(Topic.EVENTS, 0, [RawRecord(Topic.EVENTS, 0, 0, now_ms, b"u", one.value, ())])
    fastest = float("inf")
    for _ in range(_TIMES):
        began = time.thread_time()
        outbox = Outbox(settings, 1)
        for refused in decode_batch(part, settings, 1, {}).rejected:
            outbox.dead_letter(*refused)
            batch_log.ids_in(refused.record.value)
        fastest = min(fastest, time.thread_time() - began)
    return round(fastest * 1_000, 2)
