"""What producers may do to a topic: compress, abort, leave a transaction open, compact. A worker reads what counts."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer as LibrdkafkaProducer
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from worker_processes import eventually, group, produce

from headrace.connections.kafka import KafkaConnection
from headrace.settings.model import Compression, Settings
from headrace.topics import TopicSpec
from infra.topics.admin import ensure_topics
from infra.topics.check import Outputs
from streams.kafka.admin.broker import Broker
from streams.pipeline.emit import Message, Outbox, Producer
from streams.recordings.traffic.listening import KafkaRecord, Listener

CODECS = ("gzip", "lz4", "snappy", "zstd")


def test_a_batch_is_read_however_its_producer_or_its_topic_compresses_it(kafka: str, tmp_path: Path) -> None:
    with group(kafka, tmp_path) as it:
        for codec in CODECS:
            send(kafka, it.topics.rekeyed, 200, {"compression.type": codec, "linger.ms": 20})
        for codec in CODECS:
            configure(kafka, it.topics.item_deltas, {"compression.type": codec})
            produce(kafka, it.topics.item_deltas, 800)
        it.worker().await_ready()
        it.await_caught_up()
        seen = it.seen()
    assert seen[TopicPartition(it.topics.rekeyed, 0)] == set(range(800))
    assert all(seen[TopicPartition(it.topics.item_deltas, p)] == set(range(800)) for p in range(4))


def test_what_was_not_committed_is_not_read_and_holds_nothing_up(kafka: str, tmp_path: Path) -> None:
    with group(kafka, tmp_path) as it:
        topic = it.topics.rekeyed
        with transactional(kafka, topic) as producer:
            send_in_transaction(producer, topic, 5)
            producer.abort_transaction()  # offsets 0 to 4, and a marker
            send_in_transaction(producer, topic, 5)
            producer.commit_transaction()  # 6 to 10, and a marker
            send_in_transaction(producer, topic, 5)  # 12 to 16, open
            send(kafka, topic, 3)  # 17 to 19, not to be read before
            worker = it.worker()
            worker.await_ready()
            partition = TopicPartition(topic, 0)
            eventually(lambda: it.committed().get(partition) == 12, "committed up to the open transaction")
            eventually(lambda: "idle 0,1,2,3\n" in worker.log.read_text(), "idle partitions")
            assert it.seen()[partition] == set(range(6, 11))
            producer.abort_transaction()
            eventually(lambda: it.committed().get(partition) == 21, "committed up to the end")
            assert it.seen()[partition] == {*range(6, 11), *range(17, 20)}


def test_commands_read_what_workers_read(kafka: str) -> None:
    topic = own_topic(kafka)
    with (
        transactional(kafka, topic) as producer,
        Listener(KafkaConnection(kafka), [topic], from_beginning=True) as listener,
    ):
        send_in_transaction(producer, topic, 5)
        producer.abort_transaction()  # offsets 0 to 4, and a marker
        for n, codec in enumerate(CODECS):
            send(kafka, topic, 2_000, {"compression.type": codec, "linger.ms": 50}, b"x" * 1_000)
            first = 6 + 2_000 * n
            assert [r.offset for r in taken(listener, 2_000)] == list(range(first, first + 2_000))
        send_in_transaction(producer, topic, 5)
        with Broker(KafkaConnection(kafka)) as broker:
            assert broker.ends([topic])[TopicPartition(topic, 0)] == 6 + 2_000 * len(CODECS)
        assert listener.until_now() == []
        producer.commit_transaction()
        assert len(taken(listener, 5)) == 5


@pytest.mark.parametrize("codec", Compression)
async def test_outputs_are_compressed_as_the_setting_says_and_read_by_every_client(
    kafka: str, codec: Compression
) -> None:
    topic = own_topic(kafka)
    settings = Settings(kafka=kafka, compression=codec)
    producer, outbox = await Producer.open(settings, Outputs({})), Outbox(settings, 1)
    outbox.messages[topic, 0] += [Message(b"ann", b"%04d" % n + b"x" * 1_000) for n in range(500)]
    await producer.send(outbox)
    await producer.close()
    with Listener(KafkaConnection(kafka), [topic], from_beginning=True) as listener:
        assert [int((r.value or b"")[:4]) for r in listener.until_now()] == list(range(500))
    assert (kept_bytes(kafka, topic) < 100_000) == (codec is not Compression.NONE)


def taken(listener: Listener, count: int) -> list[KafkaRecord]:
    """So many records: the broker ends a transaction after it has said so."""
    found: list[KafkaRecord] = []

    def enough() -> bool:
        found.extend(listener.until_now())
        return len(found) >= count

    eventually(enough, f"{count} records")
    return found


def own_topic(kafka: str) -> str:
    """A fresh topic of one partition."""
    name = f"headrace.test.{uuid.uuid4().hex[:8]}"
    ensure_topics(KafkaConnection(kafka), [TopicSpec(name, 1, 1, {})])
    return name


def kept_bytes(kafka: str, topic: str) -> int:
    """What the broker keeps of a topic."""
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        [broker] = admin.describe_log_dirs()
    topics = [found for log_dir in broker["log_dirs"] for found in log_dir["topics"] if found["name"] == topic]
    return sum(partition["partition_size"] for found in topics for partition in found["partitions"])


def send(kafka: str, topic: str, count: int, settings: dict[str, str | int] | None = None, pad: bytes = b"") -> None:
    """Numbered records on partition 0."""
    producer = LibrdkafkaProducer({"bootstrap.servers": kafka, **(settings or {})})
    for n in range(count):
        producer.produce(topic, b"%d" % n + pad, partition=0)
    assert producer.flush(30) == 0


@contextmanager
def transactional(kafka: str, name: str) -> Iterator[LibrdkafkaProducer]:
    """A producer of transactions; one that a failed test left open ends with it."""
    producer = LibrdkafkaProducer(
        {"bootstrap.servers": kafka, "transactional.id": name, "transaction.timeout.ms": 600_000}
    )
    producer.init_transactions()
    yield producer
    LibrdkafkaProducer({"bootstrap.servers": kafka, "transactional.id": name}).init_transactions()


def send_in_transaction(producer: LibrdkafkaProducer, topic: str, count: int) -> None:
    """Begin a transaction, and leave it open."""
    producer.begin_transaction()
    for n in range(count):
        producer.produce(topic, b"%d" % n, partition=0)
    assert producer.flush(30) == 0


def configure(kafka: str, topic: str, config: dict[str, str]) -> None:
    """Change a topic's settings."""
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])
