"""`headrace replay`: a recorded stream onto its topics, in its order."""

import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Self

from kafka import KafkaProducer
from kafka.errors import MessageSizeTooLargeError
from kafka.partitioner.default import murmur2
from msgspec import Struct

from headrace.errors import BadRecord, StreamError, UsageError
from headrace.messages.decoding import decode_event
from headrace.recording.reading import Record
from headrace.settings.model import Settings
from headrace.topics import TICK, Topic
from streams.kafka.admin.broker import kafka_errors, make_producer
from streams.recordings import OnProgress, no_progress

_REPORT_EVERY: Final = 1_000
#: The client buffers without a limit: wait for the acks now and then.
_IN_FLIGHT: Final = 20_000


class Sent(Struct, frozen=True):
    """What a replay sent.

    Attributes:
        records: all of them.
        topics: where they went.
        last_event_time: newest time of an event that keeps the contract, ms; None when there was none.
    """

    records: int
    topics: frozenset[str]
    last_event_time: int | None


class Replayer:
    """Sends records, each topic's in their order; all items are acknowledged before anything else follows.

    A context manager that holds one producer.

    Args:
        settings: where, and which events keep the contract.
        speed: event time over wall time; None sends as fast as it goes.

    Raises:
        StackError: the cluster cannot be reached.
    """

    def __init__(self, settings: Settings, speed: float | None = None) -> None:
        self._settings = settings
        self._pace = Pace(speed) if speed is not None else None
        self._kafka = settings.kafka_connection
        self._producer: KafkaProducer = make_producer(self._kafka)
        self._failures: list[Exception] = []
        self._counts: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._producer.close()

    def send(self, records: Iterable[Record], total: int = 0, on_progress: OnProgress = no_progress) -> Sent:
        """Send the records and wait until all are acknowledged.

        Raises:
            UsageError: a record that Kafka cannot take.
            StreamError: the cluster refused a record.
        """
        now_ms = time.time_ns() // 1_000_000
        topics: set[str] = set()
        count, newest, items_in_flight = 0, -1, False
        for record in records:
            if items_in_flight and record.topic != Topic.ITEMS:
                self._flush()
                items_in_flight = False
            if record.topic == Topic.ITEMS:
                items_in_flight = True
            elif self._pace is not None:
                self._pace.wait_for(record.timestamp)
            if record.topic == Topic.EVENTS:
                newest = max(newest, event_time(record.value, now_ms, self._settings))
            topics.add(record.topic)
            self._send(record, count + 1)
            count += 1
            if count % _REPORT_EVERY == 0 or self._pace is not None:
                on_progress(count, total)
            if count % _IN_FLIGHT == 0:
                self._flush()
        self._flush()
        on_progress(count, total)
        return Sent(count, frozenset(topics), newest if newest >= 0 else None)

    def send_to(self, topic: str, partition: int, value: bytes) -> None:
        """Send one value to one partition; `flush` waits for it."""
        self._producer.send(self._kafka.name_of(topic), value, partition=partition).add_errback(self._failures.append)

    def send_tick(self, topic: str, partition: int, time_ms: int) -> None:
        """Tell a partition of the rekeyed topic how far event time has come; `flush` waits for it."""
        headers = [(TICK, str(time_ms).encode())]
        sent = self._producer.send(self._kafka.name_of(topic), b"", partition=partition, headers=headers)
        sent.add_errback(self._failures.append)

    def _send(self, record: Record, number: int) -> None:
        key = None if record.key is None else record.key.encode("utf-8", "surrogateescape")
        if key is None and record.value is None:
            raise UsageError(f"record {number} has neither key nor value, which Kafka's clients do not send")
        headers = [(name, text.encode()) for name, text in record.headers]
        # The client's own partitioner, its pure-Python hash spared for shoppers who come again.
        partition = None if key is None else _hash(key) % self._partitions(record.topic)
        try:
            future = self._producer.send(
                self._kafka.name_of(record.topic),
                record.value,
                key=key,
                headers=headers,
                partition=partition,
                timestamp_ms=record.timestamp,
            )
        except MessageSizeTooLargeError as error:
            raise UsageError(f"record {number} on {record.topic} is larger than topics take: {error}") from error
        future.add_errback(self._failures.append)

    def _partitions(self, topic: str) -> int:
        if topic not in self._counts:
            with kafka_errors(self._kafka):
                self._counts[topic] = len(self._producer.partitions_for(self._kafka.name_of(topic)))
        return self._counts[topic]

    def flush(self) -> None:
        """Wait until everything is acknowledged.

        Raises:
            StreamError: something was refused.
        """
        with kafka_errors(self._kafka):
            self._producer.flush()
        if self._failures:
            raise StreamError(f"Kafka refused {len(self._failures)} records, the first with: {self._failures[0]}")

    _flush = flush


@lru_cache(maxsize=65_536)
def _hash(key: bytes) -> int:
    return murmur2(key) & 0x7FFFFFFF


class Pace:
    """Holds a replay back to `speed` times event time, counted from the first record."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._origin: tuple[int, float] | None = None

    def wait_for(self, timestamp: int) -> None:
        """Sleep until a record of this time (ms) is due."""
        if self._origin is None:
            self._origin = (timestamp, time.monotonic())
        first, started = self._origin
        ahead = started + (timestamp - first) / 1000 / self._speed - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)


def event_time(value: bytes | None, now_ms: int, settings: Settings) -> int:
    """An event's time, or -1 for one that breaks the contract: no watermark may follow a clock that is wrong."""
    try:
        return decode_event(value, appended_ms=now_ms, settings=settings).timestamp
    except BadRecord:
        return -1
