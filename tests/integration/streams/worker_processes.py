"""Worker processes with recording pipelines, and what their logs and their group say."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import NamedTuple

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from headrace.connections.kafka import KafkaConnection
from headrace.topics import INPUTS, internal_topics, item_updates, rekeyed
from infra.topics.admin import ensure_topics

PARTITIONS = 4
_PROGRAM = Path(__file__).with_name("recording_worker.py")


def eventually(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until it holds; fail with `what` otherwise."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


class WorkerProcess:
    """One run of `recording_worker.py`."""

    def __init__(self, group: str, folder: Path, seconds: float, poison: str | None, env: dict[str, str]) -> None:
        name = f"worker-{uuid.uuid4().hex[:6]}"
        self.log, self._errors = folder / f"{name}.log", folder / f"{name}.err"
        self.log.touch()
        arguments = [sys.executable, str(_PROGRAM), str(self.log), str(seconds), *([poison] if poison else [])]
        with self._errors.open("w") as errors:
            self.process = subprocess.Popen(
                arguments,
                stderr=errors,
                env={**os.environ, "HEADRACE_GROUP": group, "HEADRACE_HOME": str(folder), **env},
            )

    @property
    def errors(self) -> str:
        return self._errors.read_text()

    def await_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.errors
            return any(line.startswith("headrace worker ready") for line in self.errors.splitlines())

        eventually(ready, "worker ready")

    def await_parts(self, count: int) -> None:
        eventually(lambda: self.log.read_text().count("part ") >= count, f"{count} parts")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """Ask it to drain; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=10)

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self.log.read_text().splitlines()]

    def parts(self, partition: int | None = None) -> list[list[int]]:
        """The offsets of each partition batch, of one partition or of all."""
        return [
            [int(offset) for offset in line[3].split(",")]
            for line in self.lines()
            if line[0] == "part" and partition in {None, int(line[2])}
        ]

    def batches(self) -> list[int]:
        """Records in each batch."""
        return [int(line[1]) for line in self.lines() if line[0] == "batch"]

    def seen(self) -> dict[TopicPartition, set[int]]:
        seen: dict[TopicPartition, set[int]] = defaultdict(set)
        for line in self.lines():
            if line[0] == "part":
                seen[TopicPartition(line[1], int(line[2]))].update(map(int, line[3].split(",")))
        return seen


class Topics(NamedTuple):
    """The two internal topics of a group of a test's own."""

    rekeyed: str
    item_deltas: str


class Group:
    """A fresh consumer group, whose internal topics are a test's own, and which takes public topics from their end."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.name = f"transport-{uuid.uuid4().hex[:8]}"
        self.kafka, self._folder = kafka, folder
        self.topics = Topics(rekeyed(self.name), item_updates(self.name))
        self.workers: list[WorkerProcess] = []
        ensure_topics(KafkaConnection(kafka), internal_topics(self.name, PARTITIONS, 1))
        self.commit(self.ends(sorted(INPUTS)))

    def worker(self, seconds: float = 0.0, poison: str | None = None, **env: str) -> WorkerProcess:
        self.workers.append(WorkerProcess(self.name, self._folder, seconds, poison, env))
        return self.workers[-1]

    def commit(self, offsets: dict[TopicPartition, int]) -> None:
        consumer = KafkaConsumer(bootstrap_servers=self.kafka, group_id=self.name, enable_auto_commit=False)
        consumer.assign(list(offsets))
        consumer.commit({tp: OffsetAndMetadata(offset, "", -1) for tp, offset in offsets.items()})
        consumer.close()

    def ends(self, topics: list[str]) -> dict[TopicPartition, int]:
        consumer = KafkaConsumer(bootstrap_servers=self.kafka)
        ends = consumer.end_offsets([TopicPartition(t, p) for t in topics for p in range(PARTITIONS)])
        consumer.close()
        return ends

    def committed(self) -> dict[TopicPartition, int]:
        with KafkaAdminClient(bootstrap_servers=self.kafka) as admin:
            return {tp: at.offset for tp, at in admin.list_group_offsets([self.name])[self.name].items()}

    def await_caught_up(self) -> None:
        ends = {tp: end for tp, end in self.ends(list(self.topics)).items() if end}
        eventually(lambda: self.committed().items() >= ends.items(), f"{self.name} at {ends}", seconds=90)

    def seen(self) -> dict[TopicPartition, set[int]]:
        """Offsets that any worker of the group was handed."""
        union: dict[TopicPartition, set[int]] = defaultdict(set)
        for worker in self.workers:
            for tp, offsets in worker.seen().items():
                union[tp] |= offsets
        return union

    def assignments(self) -> list[dict[str, set[int]]]:
        """For each member, the partitions it has of each topic."""
        with KafkaAdminClient(bootstrap_servers=self.kafka) as admin:
            members = admin.describe_groups([self.name])[self.name]["members"]
        return [
            {topic["topic"]: set(topic["partitions"]) for topic in member["member_assignment"]["assigned_partitions"]}
            for member in members
        ]


@contextmanager
def group(kafka: str, folder: Path) -> Iterator[Group]:
    """A group whose processes do not outlive the test."""
    made = Group(kafka, folder)
    try:
        yield made
    finally:
        for worker in made.workers:
            worker.kill()


@contextmanager
def feeding(kafka: str, topics: Sequence[str]) -> Iterator[None]:
    """Records without end on every partition, so that each worker finds work whenever it joins."""
    enough = Event()

    def feed() -> None:
        while not enough.wait(0.2):
            for topic in topics:
                produce(kafka, topic, 200)

    with ThreadPoolExecutor(1) as thread:
        fed = thread.submit(feed)
        try:
            yield
        finally:
            enough.set()
            fed.result()


def produce(kafka: str, topic: str, count: int, value: Callable[[int], bytes] = lambda n: b"%d" % n) -> None:
    """Numbered records, the same number to each partition."""
    producer = KafkaProducer(bootstrap_servers=kafka, max_request_size=5_000_000, linger_ms=20)
    for n in range(count):
        producer.send(topic, value(n), partition=n % PARTITIONS)
    producer.flush()
    producer.close()
