"""Anyone may write to a group's own topics: what no worker can have sent there is a dead letter, and harms nobody."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
from confluent_kafka import Producer

from feature_repo.basics.actions import ACTION_CODE
from headrace.messages.internal import ItemUpdate, ItemUpdateBatch
from headrace.partitioning import partition_of
from headrace.topics import item_updates, rekeyed
from streams.testing import Stack, event
from streams.testing.plugin import StartWorker

_PARTITIONS = 4
_FORGED = 2**62


def test_a_forged_record_of_an_internal_topic_is_a_dead_letter_and_its_shopper_is_answered(
    headrace_stack: Stack, headrace_group: str, headrace_worker: StartWorker, replay: Callable[..., Any], expect: Any
) -> None:
    headrace_worker(HEADRACE_TRITON="127.0.0.1:9")
    user = f"silenced-{time.time_ns()}"
    home = partition_of(user, _PARTITIONS)
    value = event("view", user, item_id="a").value or b""
    producer = Producer({"bootstrap.servers": headrace_stack.kafka})
    topic = rekeyed(headrace_group)
    producer.produce(topic, value, user.encode(), partition=home)
    for source in range(_PARTITIONS):
        headers = [("headrace.topic", "events"), ("headrace.partition", f"{source}"), ("headrace.offset", f"{_FORGED}")]
        producer.produce(topic, value, user.encode(), partition=home, headers=headers)
    sold = ItemUpdate(_FORGED, "a", ACTION_CODE["purchase"], 1, 1, 100, False)
    for bad in (b"no batch", msgspec.msgpack.encode(ItemUpdateBatch("events/0", 0, [sold]))):
        producer.produce(item_updates(headrace_group), bad, partition=partition_of("a", _PARTITIONS))
    assert producer.flush(30) == 0
    replay([event("view", user, item_id="b")], wait=True)
    [answer] = expect("recommendations", where=lambda m: m.key == user)
    assert answer.value["user_id"] == user
    dead = expect("dead.letters", count=7)
    assert [m.headers["headrace.topic"] for m in dead].count(topic) == 5
    assert sum("ends at" in m.headers["headrace.detail"] for m in dead) == 5
