"""What producers may do to a topic: compress, abort, leave a transaction open, compact. A worker reads what counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka import Producer
from kafka import KafkaAdminClient, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from worker_processes import eventually, group, produce

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


def send(kafka: str, topic: str, count: int, settings: dict[str, str | int] | None = None) -> None:
    """Numbered records on partition 0."""
    producer = Producer({"bootstrap.servers": kafka, **(settings or {})})
    for n in range(count):
        producer.produce(topic, b"%d" % n, partition=0)
    assert producer.flush(30) == 0


@contextmanager
def transactional(kafka: str, name: str) -> Iterator[Producer]:
    """A producer of transactions; one that a failed test left open ends with it."""
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": name, "transaction.timeout.ms": 600_000})
    producer.init_transactions()
    yield producer
    Producer({"bootstrap.servers": kafka, "transactional.id": name}).init_transactions()


def send_in_transaction(producer: Producer, topic: str, count: int) -> None:
    """Begin a transaction, and leave it open."""
    producer.begin_transaction()
    for n in range(count):
        producer.produce(topic, b"%d" % n, partition=0)
    assert producer.flush(30) == 0


def configure(kafka: str, topic: str, config: dict[str, str]) -> None:
    """Change a topic's settings."""
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])
