"""The local stack, on real servers: started once, found again, stopped without loss."""

from pathlib import Path

import numpy as np
import psutil
import redis
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from local_servers import quiet
from tritonclient.grpc import InferenceServerClient, InferInput

from headrace.settings.model import Settings
from headrace.topics import MAX_MESSAGE_BYTES, Topic
from infra.local.stack import Addresses, State, down, status, up


def pids(settings: Settings) -> dict[str, int | None]:
    return {server.name: server.pid for server in status(settings)}


def client(settings: Settings) -> redis.Redis:
    return redis.Redis.from_url(f"redis://{settings.redis_address}")


def send(settings: Settings, topic: str, value: bytes) -> None:
    producer = KafkaProducer(
        bootstrap_servers=settings.kafka_address,
        max_request_size=MAX_MESSAGE_BYTES,
    )
    producer.send(topic, value, key=b"one", partition=0).get(timeout=30)
    producer.close()


def first(settings: Settings, topic: str) -> bytes:
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka_address, consumer_timeout_ms=30_000)
    consumer.assign([TopicPartition(topic, 0)])
    consumer.seek_to_beginning()
    value = next(consumer).value
    consumer.close()
    return value


def shared_memory(pid: int | None) -> set[Path]:
    maps = Path(f"/proc/{pid}/maps").read_text()
    return {Path(line.split()[-1]) for line in maps.splitlines() if "/dev/shm/" in line}


def test_every_server_runs_and_is_addressed_by_the_port_offset(local_stack: Settings) -> None:
    assert {(server.name, server.address, server.state) for server in status(local_stack)} == {
        ("kafka", "127.0.0.1:22192", State.RUNNING),
        ("redis", "127.0.0.1:19479", State.RUNNING),
        ("triton", "127.0.0.1:21101", State.RUNNING),
    }


def test_a_second_up_starts_nothing(local_stack: Settings) -> None:
    before = pids(local_stack)
    assert up(local_stack, quiet) == Addresses("127.0.0.1:22192", "127.0.0.1:19479", "127.0.0.1:21101")
    assert pids(local_stack) == before


def test_up_creates_the_topics_of_the_contract(local_stack: Settings) -> None:
    consumer = KafkaConsumer(bootstrap_servers=local_stack.kafka_address)
    assert set(Topic) <= consumer.topics()
    assert consumer.partitions_for_topic(Topic.EVENTS) == {0, 1}
    consumer.close()


def test_a_dead_letter_of_4_mb_goes_through(local_stack: Settings) -> None:
    letter = b"x" * 4_194_304
    send(local_stack, Topic.DEAD_LETTERS, letter)
    assert first(local_stack, Topic.DEAD_LETTERS) == letter


def test_a_client_can_wait_until_its_writes_are_on_disk(local_stack: Settings) -> None:
    with client(local_stack) as valkey:
        valkey.set("durable", "yes")
        assert valkey.execute_command("WAITAOF", 1, 0, 5_000) == [1, 0]


def test_triton_serves_the_models_of_the_repository_and_outlives_a_broken_one(local_stack: Settings) -> None:
    triton = InferenceServerClient(local_stack.triton_address)
    assert not triton.is_model_ready("broken")
    x = InferInput("x", [3], "INT64")
    x.set_data_from_numpy(np.array([1, 2, 3]))
    assert triton.infer("echo", [x]).as_numpy("y").tolist() == [1, 2, 3]
    triton.close()


def test_a_server_that_was_killed_is_started_again_without_its_leftovers(local_stack: Settings) -> None:
    before = pids(local_stack)
    triton = psutil.Process(before["triton"])
    regions, models = shared_memory(triton.pid), triton.children()
    for process in (triton, *models):
        process.kill()
    psutil.wait_procs([triton, *models], timeout=30)

    up(local_stack, quiet)
    after = pids(local_stack)
    assert after.pop("triton") != before.pop("triton")
    assert after == before
    assert regions
    assert not any(region.exists() for region in regions)


def test_data_survive_down_and_up_and_nothing_else_is_left(local_stack: Settings) -> None:
    send(local_stack, Topic.ITEMS, b"an item")
    with client(local_stack) as valkey:
        valkey.set("kept", "yes")
    regions = shared_memory(pids(local_stack)["triton"])

    stopped = down(local_stack, quiet)
    states = {server.state for server in status(local_stack)}
    left = [region for region in regions if region.exists()]
    stopped_again = down(local_stack, quiet)
    up(local_stack, quiet)

    assert sorted(stopped) == ["Kafka", "Triton", "Valkey"]
    assert states == {State.STOPPED}
    assert regions
    assert left == []
    assert stopped_again == []
    assert first(local_stack, Topic.ITEMS) == b"an item"
    with client(local_stack) as valkey:
        assert valkey.get("kept") == b"yes"
