"""What correct producers do differently makes no difference to what a worker knows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from streams.testing import Stack, event
from streams.testing.plugin import StartWorker
from tests.trained_shop import headrace

_SHOPPERS = 6
_NOW = 1_767_571_200_000
_CODECS = ("gzip", "lz4", "snappy", "zstd")
_MURMUR2 = {"partitioner": "murmur2_random"}


def test_producers_of_every_kind_give_the_features_that_a_plain_one_gives(
    headrace_stack: Stack, headrace_group: str, headrace_worker: StartWorker, replay: Callable[..., Any], tmp_path: Path
) -> None:
    kinds: dict[str, dict[str, str]] = {codec: {**_MURMUR2, "compression.type": codec} for codec in _CODECS}
    for kind, settings in {"plain": _MURMUR2, "crc32": {}, **kinds}.items():
        send(Producer({"bootstrap.servers": headrace_stack.kafka, "linger.ms": 50, **settings}), kind)
    send_in_transactions(headrace_stack.kafka, "transactional", headrace_group)
    headrace_worker(HEADRACE_TRITON="127.0.0.1:9")
    replay([event("view", "last", item_id="a", timestamp=_NOW)], wait=True)
    rows = shoppers(headrace_stack, headrace_group, tmp_path / "dump.jsonl")
    plain = rows.pop("plain")
    assert len(plain) == _SHOPPERS
    assert all(row["counts"]["view"] == 8 for row in plain.values())
    assert rows.keys() == {"crc32", "transactional", *_CODECS}
    for kind, found in rows.items():
        assert found == plain, kind


def send(producer: Producer, kind: str, first: int = 0) -> None:
    """The same events for each kind, but for whose they are."""
    for n in range(first, first + 8):
        for shopper in range(_SHOPPERS):
            user = f"{kind}:{shopper}"
            for type_ in ("view", "purchase"):
                # Which item it is depends on the shopper and the event, and on nothing that producers choose.
                sent = event(type_, user, item_id=f"item-{(n * shopper) % 7}", timestamp=_NOW + n * 60_000)
                named = {**json.loads(sent.value or b""), "event_id": f"{user}/{type_}/{n}"}
                producer.produce("events", json.dumps(named).encode(), user.encode())
    assert producer.flush(30) == 0


def send_in_transactions(kafka: str, kind: str, name: str) -> None:
    """An aborted transaction of other events, then the events that count."""
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": name, **_MURMUR2})
    producer.init_transactions()
    producer.begin_transaction()
    send(producer, kind, first=1_000)
    producer.abort_transaction()
    producer.begin_transaction()
    send(producer, kind)
    producer.commit_transaction()


def shoppers(stack: Stack, group: str, out: Path) -> dict[str, dict[str, Any]]:
    """What the store holds of each kind's shoppers: kind → shopper → features."""
    headrace(stack, "features", "dump", "--out", out, group=group)
    found: dict[str, dict[str, Any]] = {}
    for row in map(json.loads, out.read_text().splitlines()):
        kind, colon, shopper = row["key"].partition(":")
        if row["view"] == "shopper" and colon:
            found.setdefault(kind, {})[shopper] = row["features"]
    return found
