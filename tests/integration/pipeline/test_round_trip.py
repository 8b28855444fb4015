"""The whole round trip as users write it: a plain kafka-python producer, a confluent-kafka consumer."""

import json
import time

from confluent_kafka import Consumer
from confluent_kafka import Producer as LibrdkafkaProducer
from kafka import KafkaProducer

from headrace.recording.reading import read_recording
from streams.testing import Stack
from streams.testing.plugin import StartWorker
from tests.trained_shop import TrainedShop, headrace


def consume(stack: Stack, topic: str, wanted: set[str], field: str = "event_id") -> dict[str, dict]:
    """The messages on a topic whose `field` is wanted, read by confluent-kafka."""
    settings = {
        "bootstrap.servers": stack.kafka,
        "group.id": f"reader-{time.time_ns()}",
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(settings)
    consumer.subscribe([topic])
    found: dict[str, dict] = {}
    try:
        deadline = time.monotonic() + 60
        while found.keys() != wanted and time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                value = json.loads(message.value())
                if value.get(field) in wanted:
                    found[value[field]] = value
    finally:
        consumer.close()
    assert found.keys() == wanted
    return found


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_a_kafka_python_producer_is_answered_to_a_confluent_consumer(
    headrace_stack: Stack, trained_shop: TrainedShop, headrace_worker: StartWorker
):
    headrace_worker()
    producer = KafkaProducer(bootstrap_servers=headrace_stack.kafka)
    for record in read_recording(trained_shop.recording):
        if record.topic == "items":
            producer.send("items", key=(record.key or "").encode(), value=record.value)
    title = {"item_id": "round-trip-mug", "title": "Blue enamel mug"}
    producer.send("items", key=b"round-trip-mug", value=json.dumps(title).encode()).get(10)
    view = {
        "event_id": f"rt-{now_ms()}",
        "type": "view",
        "user_id": "ann",
        "timestamp": now_ms(),
        "item_id": "item-0001",
    }
    request = {
        "request_id": f"rq-{now_ms()}",
        "user_id": "ann",
        "timestamp": now_ms(),
        "items": ["item-0002", "item-0001", "round-trip-mug"],
    }
    producer.send("events", key=b"ann", value=json.dumps(view).encode())
    producer.send("score.requests", key=b"ann", value=json.dumps(request).encode())
    producer.flush()
    answer = consume(headrace_stack, "recommendations", {view["event_id"]})[view["event_id"]]
    assert answer["model"] == {"name": "headrace", "version": trained_shop.version}
    assert answer["fallback"] is None
    listed = [entry["item_id"] for entry in answer["items"]]
    assert len(listed) == len(set(listed)) == 20
    assert "item-0001" not in listed
    assert all(entry["reasons"] for entry in answer["items"])
    assert [e["score"] for e in answer["items"]] == sorted((e["score"] for e in answer["items"]), reverse=True)
    scored = consume(headrace_stack, "ctr.scores", {request["request_id"]}, "request_id")[request["request_id"]]
    assert [entry["item_id"] for entry in scored["items"]] == request["items"]
    assert all(0 <= entry["ctr"] <= 1 for entry in scored["items"])


def test_another_partitioner_makes_no_difference(
    headrace_stack: Stack, trained_shop: TrainedShop, headrace_worker: StartWorker, headrace_group: str
):
    """librdkafka's default partitioner is CRC32: most of its events land where their shopper does not live (rule 1)."""
    headrace_worker()
    producer = LibrdkafkaProducer({"bootstrap.servers": headrace_stack.kafka})
    stamp = now_ms()
    users = [f"crc-{stamp}-{n}" for n in range(24)]
    events = [
        {
            "event_id": f"{user}-{n}",
            "type": "view",
            "user_id": user,
            "timestamp": stamp + n,
            "item_id": f"item-000{n + 1}",
        }
        for n in range(3)
        for user in users
    ]
    for one in events:
        producer.produce("events", key=one["user_id"], value=json.dumps(one))
    producer.flush()
    consume(headrace_stack, "recommendations", {one["event_id"] for one in events})
    for user in users[:4]:
        features = json.loads(headrace(headrace_stack, "features", "user", user, "--json", group=headrace_group))
        assert "item-0003" in json.dumps(features)
        assert json.dumps(features).count("item-0001") >= 1


def test_a_header_without_a_value_is_no_more_than_that(
    headrace_stack: Stack, trained_shop: TrainedShop, headrace_worker: StartWorker
):
    headrace_worker()
    view = {"event_id": f"null-{now_ms()}", "type": "view", "user_id": "bea", "timestamp": now_ms(), "item_id": "i"}
    producer = LibrdkafkaProducer({"bootstrap.servers": headrace_stack.kafka})
    producer.produce("events", json.dumps(view).encode(), b"bea", headers=[("traceparent", None), ("x", None)])
    producer.flush()
    answer = consume(headrace_stack, "recommendations", {view["event_id"]})[view["event_id"]]
    assert answer["user_id"] == "bea"
