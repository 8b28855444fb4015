"""Replay, record and wait on a real Kafka."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import msgspec
import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.structs import TopicPartition

from headrace.connections.kafka import KafkaConnection
from headrace.errors import CheckFailed, UsageError
from headrace.messages.internal import ItemUpdateBatch, Watermark
from headrace.recording.reading import Record, read_recording
from headrace.settings.model import Settings
from headrace.topics import INPUTS, Topic, internal_topics, item_updates, rekeyed
from infra.topics.admin import ensure_topics
from streams.kafka.admin.broker import Broker
from streams.recordings.traffic.capture import capture
from streams.recordings.traffic.listening import Listener
from streams.recordings.traffic.replay import replay_records
from streams.recordings.traffic.replaying import Replayer
from streams.recordings.traffic.waiting import await_answers
from streams.testing import Client, event, item, raw

INPUT_TOPICS = sorted(INPUTS)
NOW = 1_767_571_200_000


@pytest.fixture
def settings(kafka: str) -> Settings:
    """A group of the test's own, with its internal topics, beginning at the inputs' ends."""
    group = f"test-{uuid4().hex[:12]}"
    ensure_topics(KafkaConnection(kafka), internal_topics(group, 4, 1))
    with Broker(KafkaConnection(kafka)) as broker:
        broker.start_group_at(group, broker.ends(INPUT_TOPICS))
    return Settings(kafka=kafka, group=group)


@contextmanager
def answering_group(settings: Settings) -> Iterator[None]:
    """A group that commits whatever comes on its topics, as a worker does when it has answered."""
    stop = threading.Event()
    consumer = KafkaConsumer(
        bootstrap_servers=settings.kafka_address,
        group_id=settings.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    # Assigned by hand: a lone consumer needs no rebalance, and cannot be put out of its group by a busy machine.
    topics = [*INPUT_TOPICS, rekeyed(settings.group), item_updates(settings.group)]
    consumer.assign([TopicPartition(topic, p) for topic in topics for p in consumer.partitions_for_topic(topic) or ()])

    def work() -> None:
        while not stop.is_set():
            if consumer.poll(timeout_ms=100):
                consumer.commit()
        consumer.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def some_records(user: str = "ann", count: int = 50) -> list[Record]:
    views = [event("view", f"{user}-{n % 7}", timestamp=NOW + n, item_id="i1") for n in range(count)]
    return [item("i1", title="Tin"), Record("items", "i2", NOW, None), *views]


def test_values_arrive_byte_for_byte_each_key_in_order_on_its_murmur2_partition(settings):
    records = [
        *some_records(),
        raw("events", None, b"not json"),
        raw("events", "\udcff", b"\xff\x00"),
        Record("score.requests", "ann", NOW, b"{}", (("trace", "7"),)),
    ]
    with Client(settings, INPUT_TOPICS) as client:
        done = client.replay(records)
        came = [m for topic in INPUT_TOPICS for m in client.received(topic)]
    assert done.records == len(records) == len(came)
    for key in {record.key for record in records}:
        sent = [record.value for record in records if record.key == key]
        shown = None if key is None else key.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        assert sorted([m.raw for m in came if m.key == shown], key=str) == sorted(sent, key=str)
    per_user = [m.raw for m in came if m.key == "ann-3"]
    assert per_user == [r.value for r in records if r.key == "ann-3"]
    assert [m.headers for m in came if m.topic == "score.requests"] == [{"trace": "7"}]
    plain = KafkaProducer(bootstrap_servers=settings.kafka_address)
    partition = plain.send("events", b"{}", key=b"ann-3").get(10).partition
    plain.close()
    assert {m.partition for m in came if m.key == "ann-3"} == {partition}


def test_items_are_acknowledged_before_the_first_event(settings):
    # Unavailable, so that they are no candidates in other tests on the same servers.
    catalogue = [item(f"i{n}", title="Tin", description="x" * 5_000, available=False) for n in range(3_000)]
    with Listener(settings.kafka_connection, ["items", "events"], from_beginning=False) as listener:
        replay_records(lambda: [*catalogue, *some_records()[2:]], settings)
        came = listener.until_now()
    appended = {topic: [r.timestamp for r in came if r.topic == topic] for topic in ("items", "events")}
    assert (len(appended["items"]), len(appended["events"])) == (3_000, 50)
    assert max(appended["items"]) <= min(appended["events"])


def test_what_is_recorded_can_be_replayed(settings, tmp_path):
    records = some_records()
    with Listener(settings.kafka_connection, ["events", "items"], from_beginning=False) as listener:
        replay_records(lambda: records, settings)
        count = capture(listener.until_now(), tmp_path / "s.jsonl.zst")
    again = list(read_recording(tmp_path / "s.jsonl.zst"))
    assert count == len(records)
    assert [r.topic for r in again] == ["items"] * 2 + ["events"] * 50
    assert {(r.key, r.value) for r in again} == {(r.key, r.value) for r in records}
    assert [r.timestamp for r in again] == sorted(r.timestamp for r in again)


def test_wait_returns_when_everything_is_committed_and_the_end_is_marked(settings):
    with answering_group(settings):
        done = replay_records(some_records, settings, wait=True)
    with Broker(settings.kafka_connection) as broker:
        committed = broker.committed(settings.group)
        ends = broker.ends([item_updates(settings.group)])
    assert done.records == 52
    assert {p: committed[p] for p in ends} == ends
    with Listener(settings.kafka_connection, [item_updates(settings.group)], from_beginning=True) as listener:
        markers = [(r.partition, msgspec.msgpack.decode(r.value, type=ItemUpdateBatch)) for r in listener.until_now()]
    end = NOW + 49 + settings.window + settings.lateness
    assert all(batch.entries == [Watermark(-1, end, True)] for _, batch in markers)
    assert {(partition, batch.source) for partition, batch in markers} == {(p, s) for p in range(4) for s in range(4)}


def test_wait_says_so_when_no_worker_runs(settings):
    with Broker(settings.kafka_connection) as broker, Replayer(settings) as replayer:
        sent = replayer.send(some_records())
        with pytest.raises(CheckFailed, match=rf"52 records left.*HEADRACE_GROUP={settings.group}"):
            await_answers(broker, replayer, sent, settings, patience_s=0.5)


def test_answers_and_dead_letters_are_counted(settings):
    def stream() -> Iterator[Record]:
        yield Record(Topic.RECOMMENDATIONS.value, "ann", NOW, b"{}")
        yield Record(Topic.DEAD_LETTERS.value, "ann", NOW, b"{}")
        yield Record(Topic.DEAD_LETTERS.value, "ann", NOW, b"{}")

    done = replay_records(stream, settings)
    assert done.answered == {
        "recommendations": 1,
        "ctr.scores": 0,
        "demand.forecasts": 0,
        "demand.alerts": 0,
    }
    assert done.dead_letters == 2


def test_a_topic_that_is_not_there_is_named_before_anything_is_sent(settings):
    with Broker(settings.kafka_connection) as broker:
        before = broker.ends(["events"])
        with pytest.raises(UsageError, match="there is no topic nowhere"):
            replay_records(lambda: [event("view", "ann", item_id="i"), raw("nowhere", "k", b"1")], settings)
        assert broker.ends(["events"]) == before


def test_a_group_can_begin_at_the_end(settings):
    with Broker(settings.kafka_connection) as broker:
        assert {p: o for p, o in broker.committed(settings.group).items() if p.topic == "events"} == broker.ends(
            ["events"]
        )
        assert TopicPartition("events", 0) in broker.ends(["events"])
