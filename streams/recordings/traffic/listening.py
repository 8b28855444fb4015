"""Read topics as they are, without a group: nothing is committed, nobody is disturbed."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from kafka import KafkaConsumer
from kafka.consumer.fetcher import ConsumerRecord
from kafka.structs import TopicPartition

from headrace.connections.kafka import KafkaConnection
from streams.kafka.admin.broker import Broker, kafka_errors

_POLL_MS = 200

KafkaRecord: TypeAlias = ConsumerRecord


class Listener:
    """Listens to every partition of some topics, from its end as it is now or from its beginning.

    A context manager: what is appended after it was entered is not missed.

    Raises:
        UsageError: a topic does not exist.
        StackError: the cluster cannot be reached.
    """

    def __init__(self, connection: KafkaConnection, topics: Sequence[str], *, from_beginning: bool) -> None:
        self._connection = connection
        with Broker(connection) as broker:
            starts = broker.beginnings(topics) if from_beginning else broker.ends(topics)
        with kafka_errors(self._connection):
            self._consumer = KafkaConsumer(
                **connection.options(),
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                isolation_level="read_committed",
                max_poll_records=5_000,
                metrics_enabled=False,
            )
            places = {TopicPartition(connection.name_of(topic), p): at for (topic, p), at in starts.items()}
            self._consumer.assign(list(places))
            for partition, offset in places.items():
                self._consumer.seek(partition, offset)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close(autocommit=False)

    def records(
        self, quiet_s: float | None = None, interrupted: Callable[[], bool] = lambda: False
    ) -> Iterator[KafkaRecord]:
        """Yield records, each partition's in order, until interrupted or none has come for `quiet_s` seconds."""
        last_record = time.monotonic()
        while not interrupted() and (quiet_s is None or time.monotonic() - last_record < quiet_s):
            if polled := self.poll():
                yield from polled
                last_record = time.monotonic()

    def poll(self, timeout_ms: int = _POLL_MS) -> list[KafkaRecord]:
        """What has come by now, waiting for at most `timeout_ms`; topics have the names of the contract."""
        with kafka_errors(self._connection):
            fetched = self._consumer.poll(timeout_ms=timeout_ms)
        found = [record for records in fetched.values() for record in records]
        if not self._connection.prefix:
            return found
        return [record._replace(topic=self._connection.topic_of(record.topic)) for record in found]

    def until_now(self) -> list[KafkaRecord]:
        """All that had been appended when this was called and has not been given out yet."""
        found: list[KafkaRecord] = []
        with kafka_errors(self._connection):
            ends = self._consumer.end_offsets(list(self._consumer.assignment()))
            while any((self._consumer.position(partition) or 0) < end for partition, end in ends.items()):
                found += self.poll()
        return found
