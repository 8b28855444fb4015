"""What becomes of a worker's topics: one is made anew under it, another loses its end to compaction."""

import asyncio
import re
import time
from pathlib import Path
from uuid import uuid4

from confluent_kafka import Producer
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from headrace.settings.model import Settings
from headrace.topics import Topic, public_topics
from infra.local.stack import down, up
from infra.topics.admin import ensure_topics
from streams.serving.catalogue.follower import CatalogueFollower
from streams.testing import Client, Stack, Worker, event, item

_PARTITIONS = 4
_AT_ONCE = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.0", "delete.retention.ms": "0"}


def test_events_made_anew_under_a_running_worker_stop_it(own_settings: Settings, tmp_path: Path) -> None:
    group = f"anew-{uuid4().hex[:8]}"
    settings = own_settings.model_copy(update={"group": group})
    stack = Stack(settings.kafka_address, settings.redis_address, settings.triton_address)
    worker = Worker({**stack.environment(group), "HEADRACE_TRITON": "127.0.0.1:9"}, tmp_path / "worker.log")
    with Client(settings) as client:
        views = [event("view", f"user-{n}", item_id="a") for n in range(40)]
        client.replay(views, wait=True)
        with KafkaAdminClient(bootstrap_servers=settings.kafka_address) as admin:
            admin.delete_topics([Topic.EVENTS])
        ensure_topics(settings.kafka_connection, public_topics(settings))
        client.replay(views * 3)
    assert ended_with(worker) == 1
    # By the topic's id, or by its end where the group was dealt its partitions anew first.
    assert re.search(r"(?s)events.*recreated.*HEADRACE_GROUP", worker.log_tail(1))


async def test_a_catalogue_whose_last_offsets_compaction_took_is_caught_up_with(own_settings: Settings) -> None:
    """A tombstone that was removed, and an open transaction behind it, is where `items` ends for now."""
    unsettled = await asyncio.to_thread(lose_the_end_of_items, own_settings)
    async with asyncio.timeout(60):
        follower = await CatalogueFollower.open(own_settings, _PARTITIONS, {})
    assert ("kept" in follower.catalogue, "open" in follower.catalogue) == (True, False)
    unsettled.commit_transaction()
    async with asyncio.timeout(60):
        while "open" not in follower.catalogue:  # the broker writes the marker after it has answered
            await follower.catch_up()
    await follower.close()


def lose_the_end_of_items(own_settings: Settings) -> Producer:
    """Let compaction take the last record before an open transaction; the producer of that."""
    kafka, place = own_settings.kafka_address, TopicPartition(Topic.ITEMS, 0)
    configure(kafka)
    producer = Producer({"bootstrap.servers": kafka})
    for item_id in ("kept", "gone"):
        producer.produce(Topic.ITEMS, item(item_id, title="Tin").value, item_id.encode(), partition=0)
    producer.flush()
    producer.produce(Topic.ITEMS, None, b"gone", partition=0)
    producer.flush()
    time.sleep(0.3)  # longer than a segment lasts: what comes next begins another
    unsettled = Producer({"bootstrap.servers": kafka, "transactional.id": "t", "transaction.timeout.ms": 600_000})
    unsettled.init_transactions()
    unsettled.begin_transaction()
    unsettled.produce(Topic.ITEMS, item("open", title="Tin").value, b"open", partition=0)
    unsettled.flush()
    eventually(lambda: offsets_from(kafka, place) == [0, 2], "the item compacted away")
    restart_as_a_new_replica(own_settings)
    eventually(lambda: offsets_from(kafka, place) == [0], "the tombstone removed")
    return unsettled


def ended_with(worker: Worker) -> int:
    """The status of a worker that ends by itself."""
    eventually(lambda: not worker.running, "the worker's end")
    return worker.stop()


def configure(kafka: str) -> None:
    """Compact `items` as soon as anything can be."""
    with KafkaAdminClient(bootstrap_servers=kafka) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, Topic.ITEMS, _AT_ONCE)])
        admin.alter_configs([ConfigResource(ConfigResourceType.BROKER, "1", {"log.cleaner.backoff.ms": "200"})])


def restart_as_a_new_replica(settings: Settings) -> None:
    """A replica that has copied the log knows nothing of what was cleaned, and cleans it all once more."""
    down(settings, lambda _: None)
    for checkpoint in settings.home.rglob("cleaner-offset-checkpoint"):
        checkpoint.unlink()
    up(settings, lambda _: None)
    configure(settings.kafka_address)


def offsets_from(kafka: str, place: TopicPartition) -> list[int]:
    """The offsets of a partition's committed records, as far as a plain consumer gets."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, isolation_level="read_committed", auto_offset_reset="earliest")
    consumer.assign([place])
    consumer.seek_to_beginning(place)
    found = [record.offset for records in consumer.poll(timeout_ms=2_000).values() for record in records]
    consumer.close()
    return found


def eventually(holds: object, what: str, seconds: float = 90) -> None:
    """Wait until it holds; fail with `what` otherwise."""
    assert callable(holds)
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)
