"""The transport on a real Kafka, with workers as processes that are killed, joined and drained."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaAdminClient, TopicPartition
from worker_processes import PARTITIONS, WorkerProcess, eventually, feeding, group, produce

from headrace.connections.kafka import KafkaConnection
from headrace.topics import INPUTS, MAX_MESSAGE_BYTES, internal_topics
from infra.topics.admin import ensure_topics


def test_kills_joins_and_drains_lose_no_record(kafka: str, tmp_path: Path) -> None:
    batch = {"HEADRACE_CHUNK": "40"}
    with group(kafka, tmp_path) as it:
        with feeding(kafka, it.topics):
            first = it.worker(0.02, **batch)
            first.await_parts(20)
            second = it.worker(0.02, **batch)  # joins
            second.await_parts(20)
            first.kill()
            third = it.worker(0.02, **batch)
            third.await_parts(20)  # after the session of the killed one has ended
            second.kill()
            fourth = it.worker(0.02, **batch)
            fourth.await_parts(20)
            assert third.terminate() == 0  # drains and leaves
        it.await_caught_up()
        assert fourth.terminate() == 0

        sent = {TopicPartition(topic, p) for topic in it.topics for p in range(PARTITIONS)}
        everything = {tp: set(range(it.ends([tp.topic])[tp])) for tp in sent}
        assert it.seen() == everything
        for worker in it.workers:
            assert_ordered(worker)
            assert max(worker.batches()) <= 40


def test_partition_p_of_every_topic_is_one_workers(kafka: str, tmp_path: Path) -> None:
    with group(kafka, tmp_path) as it:
        for count in (1, 2, 3):
            it.worker().await_ready()
            eventually(lambda n=count: len(shares := it.assignments()) == n and all(shares), f"{count} members")
            for share in it.assignments():
                assert share.keys() == {*INPUTS, *it.topics}
                assert len({frozenset(partitions) for partitions in share.values()}) == 1


def test_failing_pipeline_stops_the_worker_and_leaves_its_batch_uncommitted(kafka: str, tmp_path: Path) -> None:
    with group(kafka, tmp_path) as it:
        produce(kafka, it.topics.rekeyed, 400)
        worker = it.worker(0.01, poison="202", HEADRACE_CHUNK="10")  # offset 50 of partition 2
        assert worker.process.wait(timeout=40) == 1
        assert worker.errors.splitlines()[-1] == "headrace: The online store is full: make room."
        [aborted] = [line for line in worker.errors.splitlines() if "batches aborted" in line]
        assert '"partition": 2, "first_offset": 50' in aborted
        poison_partition = TopicPartition(it.topics.rekeyed, 2)
        assert it.committed()[poison_partition] == 50
        assert worker.seen()[poison_partition] == set(range(50))

        it.worker().await_ready()
        it.await_caught_up()
        assert it.seen()[poison_partition] == set(range(100))


def test_the_next_worker_hears_what_was_processed_and_nothing_of_offsets_that_a_tool_set(
    kafka: str, tmp_path: Path
) -> None:
    def received(worker: WorkerProcess) -> list[list[str]]:
        worker.await_ready()
        assert worker.terminate() == 0
        return [line for line in worker.lines() if line[0] == "folded"]

    with group(kafka, tmp_path) as it:
        topic = it.topics.rekeyed
        produce(kafka, topic, 400)
        first = it.worker()
        first.await_ready()
        it.await_caught_up()
        assert first.terminate() == 0
        everything = [["folded", topic, str(p), "99"] for p in range(PARTITIONS)]
        assert received(it.worker()) == everything
        assert received(it.worker()) == everything  # of a worker, too, that had nothing to do
        it.commit({TopicPartition(topic, 0): 60, TopicPartition(topic, 1): 100})
        assert received(it.worker()) == everything[2:]


def test_offsets_without_a_record_hold_nothing_up(kafka: str, tmp_path: Path) -> None:
    with group(kafka, tmp_path) as it:
        topic = it.topics.item_deltas
        produce(kafka, topic, 400)
        asyncio.run(in_transactions(kafka, topic, 20))  # each leaves a marker, the last one at the end
        it.commit({TopicPartition(topic, 1): 10})
        with KafkaAdminClient(bootstrap_servers=kafka) as admin:
            admin.delete_records({TopicPartition(topic, 1): 60})
        it.worker(HEADRACE_CHUNK="7").await_ready()
        it.await_caught_up()
        seen = it.seen()
        assert seen[TopicPartition(topic, 1)] == set(range(60, 100))
        assert seen[TopicPartition(topic, 0)] == set(range(100)) | {100 + 2 * n for n in range(20)}


def test_record_as_large_as_the_broker_takes_travels_alone(kafka: str, tmp_path: Path) -> None:
    with group(kafka, tmp_path) as it:
        large = b"x" * (MAX_MESSAGE_BYTES - 1_000)
        produce(kafka, it.topics.rekeyed, 12, lambda n: large if n == 4 else b"small")
        worker = it.worker()
        worker.await_ready()
        it.await_caught_up()
        assert worker.parts(partition=0) == [[0], [1], [2]]


def test_worker_says_which_partitions_are_idle(kafka: str, tmp_path: Path) -> None:
    with group(kafka, tmp_path) as it:
        worker = it.worker()
        eventually(lambda: "idle 0,1,2,3\n" in worker.log.read_text(), "idle partitions")


def test_log_that_ends_before_the_committed_offset_stops_the_worker(kafka: str, tmp_path: Path) -> None:
    with group(kafka, tmp_path) as it:
        it.commit({TopicPartition(it.topics.rekeyed, 3): 10})
        worker = it.worker()
        assert worker.process.wait(timeout=40) == 1
        assert f"{it.topics.rekeyed} partition 3 ends at 0" in worker.errors.splitlines()[-1]


@pytest.mark.parametrize("gone", ["rekeyed", "item_deltas"])
def test_a_topic_that_is_made_anew_under_a_running_worker_stops_it(kafka: str, tmp_path: Path, gone: str) -> None:
    with group(kafka, tmp_path) as it:
        produce(kafka, topic := getattr(it.topics, gone), 400)
        worker = it.worker()
        worker.await_ready()
        it.await_caught_up()
        with frozen(worker), KafkaAdminClient(bootstrap_servers=kafka) as admin:
            admin.delete_topics([topic])
            ensure_topics(KafkaConnection(kafka), internal_topics(it.name, PARTITIONS, 1))
            produce(kafka, topic, 480)  # its offsets are there again when the worker looks
        assert worker.process.wait(timeout=90) == 1
        assert f"Topic '{topic}' is not the one group '{it.name}' has read" in worker.errors.splitlines()[-1]


def test_a_topic_that_is_deleted_under_a_running_worker_stops_it(kafka: str, tmp_path: Path) -> None:
    with group(kafka, tmp_path) as it:
        worker = it.worker()
        worker.await_ready()
        with KafkaAdminClient(bootstrap_servers=kafka) as admin:
            admin.delete_topics([it.topics.rekeyed])
        assert worker.process.wait(timeout=90) == 1
        assert f"Topic '{it.topics.rekeyed}' does not exist" in worker.errors.splitlines()[-1]


def test_a_topic_that_gets_partitions_under_a_running_worker_stops_it(kafka: str, tmp_path: Path) -> None:
    with group(kafka, tmp_path) as it:
        worker = it.worker()
        worker.await_ready()
        with KafkaAdminClient(bootstrap_servers=kafka) as admin:
            admin.create_partitions({it.topics.rekeyed: PARTITIONS + 1})
        assert worker.process.wait(timeout=90) == 1
        assert f"has {PARTITIONS + 1} partitions, {PARTITIONS} when" in worker.errors.splitlines()[-1]


@contextmanager
def frozen(worker: WorkerProcess) -> Iterator[None]:
    """A worker that sees nothing of what happens meanwhile."""
    worker.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        worker.process.send_signal(signal.SIGCONT)


async def in_transactions(kafka: str, topic: str, count: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka, transactional_id=topic)
    await producer.start()
    for _ in range(count):
        async with producer.transaction():
            await producer.send_and_wait(topic, b"in a transaction", partition=0)
    await producer.stop()


def assert_ordered(worker: WorkerProcess) -> None:
    last: dict[tuple[str, str], int] = {}
    for line in worker.lines():
        if line[0] == "revoked":
            last.clear()
        if line[0] == "part":
            offsets = [last.get((line[1], line[2]), -1), *map(int, line[3].split(","))]
            assert all(a < b for a, b in pairwise(offsets))
            last[line[1], line[2]] = offsets[-1]
