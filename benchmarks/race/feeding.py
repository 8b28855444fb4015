"""Append events as fast as it goes, or at a steady rate.

By librdkafka, since what the load costs is missing from the cores that the contestants have.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from confluent_kafka import KafkaError, Producer

from headrace.errors import StackError
from headrace.partitioning import partition_of
from headrace.recording.reading import Record
from headrace.topics import MAX_MESSAGE_BYTES, Topic

_UNASSIGNED: Final = -1
"""librdkafka's name for a partition that its partitioner is to choose."""
_AT_ONCE: Final = 2_000
_TICK_S: Final = 0.025
"""At a steady rate, what has come due is appended so often. Each time costs the broker over a millisecond of the cores
that it shares with all others: at 5 ms it took 0.39 of a core beside a worker under 1,000 events/s, at 25 ms 0.23."""
_SINGLE_TICK_S: Final = 0.005
_SINGLE_RATE: Final = 100.0
"""Up to so many events/s the ticks are finer, so that no two events come due together: each is a batch of its own."""
_PATIENCE_S: Final = 120.0
_CONFIG: Final[dict[str, Any]] = {
    "acks": "all",
    "enable.idempotence": True,
    "linger.ms": 5,
    "batch.size": 524_288,
    "message.max.bytes": MAX_MESSAGE_BYTES,
    "queue.buffering.max.messages": 100_000,
    "delivery.report.only.error": True,
}


def feed(address: str, partitions: int | None, records: Iterable[Record], rate: float | None = None) -> None:
    """Append events, each in its shopper's partition, and wait until all are acknowledged.

    Args:
        partitions: of the topic; None leaves the choice to librdkafka's default partitioner, CRC32 of the key.
        rate: events a second; None appends as fast as the broker takes them.

    Raises:
        StackError: the broker did not take them all.
    """
    failed: list[KafkaError] = []
    producer = Producer(_CONFIG | {"bootstrap.servers": address, "on_delivery": lambda error, _: failed.append(error)})
    for part in _at_once(records) if rate is None else as_due(records, rate):
        if rate is not None:
            time.sleep(tick_s(rate))
        for record in part:
            _append(producer, partitions, record)
        producer.poll(0)
    left = producer.flush(_PATIENCE_S)
    if left or failed:
        raise StackError(f"{address} has not taken {left + len(failed)} events: {failed[0] if failed else 'no answer'}")


def _at_once(records: Iterable[Record]) -> Iterator[Sequence[Record]]:
    left = iter(records)
    while part := list(islice(left, _AT_ONCE)):
        yield part


def tick_s(rate: float) -> float:
    """Seconds between two appends at a steady rate (events/s)."""
    return _SINGLE_TICK_S if rate <= _SINGLE_RATE else _TICK_S


def as_due(records: Iterable[Record], rate: float) -> Iterator[Sequence[Record]]:
    """Yield, at each call, what has come due since the first one."""
    left, began, sent = iter(records), time.perf_counter(), 0
    while True:
        due = int((time.perf_counter() - began) * rate) - sent
        part = list(islice(left, due))
        yield part
        if len(part) < due:
            return
        sent += due


def _append(producer: Producer, partitions: int | None, record: Record) -> None:
    key = record.key or ""
    at = _UNASSIGNED if partitions is None else partition_of(key, partitions)
    while True:
        try:
            producer.produce(Topic.EVENTS, record.value, key.encode(), at, timestamp=record.timestamp)
            return
        except BufferError:  # as much waits as may: the broker is slower than we are
            producer.poll(0.1)
