"""`headrace status` on real servers: what each serves, who works, what waits, and what keeps one from its work."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer

from headrace.settings.model import Settings
from headrace.topics import Topic
from headrace_cli.status.asking import status
from streams.kafka.admin.broker import Broker
from streams.kafka.admin.membership import client_id
from streams.testing import Stack


@pytest.fixture
def settings(headrace_stack: Stack, headrace_group: str) -> Settings:
    return headrace_stack.settings(headrace_group)


@pytest.fixture
def store(settings: Settings) -> Iterator[redis.Redis]:
    with redis.Redis(**settings.redis_connection.options()) as client:
        yield client


def test_each_server_says_what_it_serves(settings: Settings):
    found = status(settings)
    assert (found.troubles, {part.answers for part in (found.kafka, found.redis, found.triton)}) == ([], {True})
    assert (found.kafka.topics, found.kafka.missing, found.kafka.group) == (len(Topic), [], settings.group)
    assert (found.redis.writable, found.redis.keeps_a_file) == (True, True)
    assert found.redis.product.startswith("Valkey ")
    assert found.triton.ready


def test_workers_lag_and_letters_are_of_the_group_and_the_topics(settings: Settings):
    before = status(settings).kafka
    producer = KafkaProducer(bootstrap_servers=settings.kafka_address)
    letter = f"events/0/{uuid4().hex}"
    headers = [("headrace.id", letter.encode()), ("headrace.reason", b"missing_field"), ("headrace.topic", b"events")]
    for _ in range(2):  # a letter may come twice
        producer.send("dead.letters", b"{}", key=b"ann", headers=headers)
    for _ in range(3):
        producer.send("events", b"{}", key=b"ann")
    producer.flush()
    producer.close()
    worker: Any = KafkaConsumer(
        "events",
        bootstrap_servers=settings.kafka_address,
        group_id=settings.group,
        client_id=client_id(1),
        enable_auto_commit=False,
    )
    while not worker.assignment():
        worker.poll(timeout_ms=100)
    after = status(settings).kafka
    worker.close()
    assert after.lag["events"] - before.lag["events"] == 3
    assert before.workers == []
    [seen] = after.workers
    with Broker(settings.kafka_connection) as broker:
        partitions = [partition for _, partition in broker.partitions(["events"])]
    assert (seen.client, seen.partitions) == (client_id(1), {"events": partitions})
    assert after.dead_letters is not None
    assert before.dead_letters is not None
    assert after.dead_letters.exact
    assert after.dead_letters.waiting - before.dead_letters.waiting == 1
    assert after.dead_letters.by_reason["missing_field"] == before.dead_letters.by_reason.get("missing_field", 0) + 1


def test_a_store_that_takes_no_write_is_trouble_though_it_answers(settings: Settings, store: redis.Redis):
    before: Any = store.config_get("maxmemory")
    store.config_set("maxmemory", 1)
    try:
        found = status(settings)
    finally:
        store.config_set("maxmemory", before["maxmemory"])
    assert (found.redis.answers, found.redis.writable) == (True, False)
    [trouble] = found.troubles
    assert "refuses (OOM" in trouble
    assert "raise its maxmemory" in trouble


def test_a_server_that_is_away_leaves_what_the_others_say(settings: Settings):
    found = status(settings.model_copy(update={"redis": "127.0.0.1:1"}))
    assert (found.kafka.answers, found.redis.answers, found.triton.answers) == (True, False, True)
    [trouble] = found.troubles
    assert trouble.startswith("The online store at 127.0.0.1:1 does not answer")
