"""Two shops on one cluster: topics with a prefix of their own, a group that is no other's, portable recordings."""

import subprocess
import sys
from collections.abc import Generator
from os import environ
from pathlib import Path
from uuid import uuid4

import pytest

from headrace.errors import UsageError
from headrace.recording.reading import read_recording
from headrace.settings.model import Settings
from headrace.topics import Topic, item_updates, public_topics, rekeyed
from infra.topics.admin import connect, ensure_topics
from streams.kafka.admin.broker import Broker
from streams.kafka.admin.group_check import check_group
from streams.testing import Stack, event, item, raw
from streams.testing.client import Client
from streams.testing.worker import Worker


@pytest.fixture
def shop(headrace_stack: Stack) -> Generator[Settings]:
    """A second shop: topics with a prefix, which go again, and a group that has begun nothing."""
    mark = uuid4().hex[:8]
    plain = headrace_stack.settings(f"shop-{mark}")
    settings = plain.model_copy(update={"topic_prefix": f"shop-{mark}."})
    kafka = settings.kafka_connection
    ensure_topics(kafka, public_topics(settings))
    yield settings
    with Broker(kafka) as broker, connect(kafka, 10_000) as admin:
        admin.delete_topics([name for name in broker.names() if name.startswith(kafka.prefix)])


def variables(stack: Stack, settings: Settings) -> dict[str, str]:
    triton = {"HEADRACE_TRITON": "127.0.0.1:9"}  # nothing listens there: an answer is an answer
    return {**stack.environment(settings.group), "HEADRACE_TOPIC_PREFIX": settings.topic_prefix, **triton}


def headrace(environment: dict[str, str], *words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "headrace_cli", *map(str, words)]
    return subprocess.run(
        command, env={**environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )


def test_a_shop_with_a_prefix_and_its_group_are_its_own(headrace_stack: Stack, shop: Settings, tmp_path: Path):
    environment = variables(headrace_stack, shop)
    users = [f"{shop.group}-{number}" for number in range(8)]
    stream = [item("mug", title="Blue enamel mug"), *(event("view", user, item_id="mug") for user in users)]
    # Keyed by something else than its shopper, most of these have to be sent on.
    stream += [event("view", f"{user}-b", item_id="mug")._replace(key="till") for user in users]
    with Client(shop) as client, Client(headrace_stack.settings(shop.group)) as neighbour:
        worker = Worker(environment, tmp_path / "worker.log")
        try:
            done = client.replay([*stream, raw("events", "bad", b"{}")], wait=True)
            assert (done.answered["recommendations"], done.dead_letters) == (len(stream) - 1, 1)
            [letter] = client.expect(Topic.DEAD_LETTERS)
            assert letter.headers["headrace.topic"] == "events"
            assert letter.headers["headrace.id"].startswith("events/")
            # What is called as the contract calls it, without the prefix, is another shop's.
            assert [m for topic in (*client_topics(), "events") for m in received(neighbour, topic, shop.group)] == []
            the_group_is_of_this_prefix(headrace_stack, shop)
            commands_follow(environment, shop, tmp_path)
        finally:
            assert worker.stop() == 0
    with Broker(shop.kafka_connection._replace(prefix="")) as broker:
        names, committed = broker.names(), broker.committed(shop.group)
    own = {topic for topic in names if shop.group in topic and ".headrace." in topic}
    assert own == {f"{shop.topic_prefix}{name(shop.group)}" for name in (rekeyed, item_updates)}
    assert {place.topic for place in committed} >= own
    assert all(place.topic.startswith(shop.topic_prefix) for place in committed)


def client_topics() -> tuple[Topic, ...]:
    return (Topic.RECOMMENDATIONS, Topic.DEAD_LETTERS, Topic.FEATURE_LOG)


def received(client: Client, topic: str, mark: str) -> list[object]:
    return client.received(topic, lambda message: mark in str(message.key))


def the_group_is_of_this_prefix(stack: Stack, shop: Settings) -> None:
    """Another shop's workers under the same group's name would share its offsets and its rows."""
    for prefix in ("", "other."):
        with pytest.raises(UsageError, match=rf"Group {shop.group} is that of .*_PREFIX={shop.topic_prefix}"):
            check_group(shop.model_copy(update={"topic_prefix": prefix}))
    done = headrace({**stack.environment(shop.group)}, "worker", "--processes", "1")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"headrace: Group {shop.group} is that of the topics with HEADRACE_TOPIC_PREFIX=")


def commands_follow(environment: dict[str, str], shop: Settings, tmp_path: Path) -> None:
    """What is recorded under a prefix can be replayed anywhere."""
    out = tmp_path / "taken.jsonl"
    recording = headrace(
        environment, "record", "--topics", "events,items", "--from-beginning", "--timeout", "2", "--out", out
    )
    assert recording.returncode == 0, recording.stderr
    assert {record.topic for record in read_recording(out)} == {"events", "items"}
    tailed = headrace(environment, "tail", "recommendations", "--from-beginning", "--max", "1")
    assert shop.group in tailed.stdout
    assert "missing_field: 1" in headrace(environment, "dead-letters", "list").stderr
    created = headrace(environment, "topics", "create")
    assert (created.returncode, created.stdout) == (0, f"created 0, already there {len(Topic)}\n")


def test_a_second_group_is_told_what_it_would_do(headrace_stack: Stack, shop: Settings, tmp_path: Path):
    first, second = shop.group, f"{shop.group}-b"
    environment = {**variables(headrace_stack, shop), "HEADRACE_GROUP": second}
    assert check_group(shop) is None  # nobody is there yet
    worker = Worker(variables(headrace_stack, shop), tmp_path / "first.log")
    with Client(shop) as client:
        client.replay([event("view", first, item_id="mug")], wait=True)
    assert worker.stop() == 0

    warning = check_group(shop.model_copy(update={"group": second}))
    assert warning is not None
    for part in ("answers all of them again", f"HEADRACE_GROUP={first}", "rebuild", "HEADRACE_ANSWER_AGAIN=on"):
        assert part in warning
    refused = Worker(environment, tmp_path / "told.log", ready=f"HEADRACE_GROUP={second} is new")
    refused.kill()
    with Broker(shop.kafka_connection) as broker:  # it was told before it did anything
        assert (broker.committed(second), shop.kafka_connection.name_of(item_updates(second)) in broker.names()) == (
            {},
            False,
        )
    # The first goes on, and so do those who say that they mean it.
    assert check_group(shop) is None
    assert check_group(shop.model_copy(update={"group": second, "rebuild_of": first})) is None
    with Client(shop.model_copy(update={"group": second})) as client:
        again = Worker({**environment, "HEADRACE_ANSWER_AGAIN": "on"}, tmp_path / "second.log")
        try:
            [answer] = client.expect(Topic.RECOMMENDATIONS, within=60)
            assert answer.key == first
        finally:
            assert again.stop() == 0
    assert check_group(shop.model_copy(update={"group": second})) is None  # now it has begun
