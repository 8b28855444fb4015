"""Workers as `headrace worker --processes` starts them, on a real Kafka: what they say, and what ends them."""

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from worker_processes import eventually

from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.kafka.admin.broker import Broker
from streams.operations.supervisor import worker_command
from streams.testing import Stack
from streams.testing.worker import Worker


@pytest.fixture
def settings(headrace_stack: Stack, headrace_group: str) -> Settings:
    return headrace_stack.settings(headrace_group)


@contextmanager
def supervised(settings: Settings, stack: Stack, log: Path, processes: int, **env: str) -> Iterator[Worker]:
    variables = {**stack.environment(settings.group), "HEADRACE_TRITON": "127.0.0.1:1", **env}
    command = worker_command(processes)
    worker = Worker(variables, log, command=command, processes=processes)
    try:
        yield worker
    finally:
        if worker.running:
            worker.stop()


def free_ports(count: int) -> int:
    """The first of so many ports in a row that nobody has."""
    for first in range(24_000, 32_000, count):
        try:
            with closing(socket.create_server(("127.0.0.1", first))):
                return first
        except OSError:
            continue
    raise AssertionError


def test_one_worker_too_many_is_said_ready_names_the_port_and_a_killed_supervisor_leaves_nobody(
    settings: Settings, headrace_stack: Stack, tmp_path: Path
):
    with Broker(settings.kafka_connection) as broker:
        partitions = len(broker.partitions([Topic.EVENTS]))
    log, port = tmp_path / "worker.log", free_ports(64)
    processes = partitions + 1
    variables = {"HEADRACE_METRICS_PORT": str(port), "HEADRACE_LOG": "json"}
    with supervised(settings, headrace_stack, log, processes, **variables) as worker:
        children = psutil.Process(worker.pid).children()
        assert len(children) == processes
        crowd = f"{processes} workers share {partitions} partitions, and 1 of them have nothing to do: run {partitions}"

        def logged() -> list[str]:
            messages = [json.loads(line)["message"] for line in log.read_text().splitlines() if line.startswith("{")]
            return [message for message in messages if message.startswith(crowd)]

        eventually(lambda: bool(logged()) or not worker.running, crowd)
        ports = [int(found) for found in re.findall(r"worker ready, metrics on port (\d+)", log.read_text())]
        assert len(set(ports)) == processes
        for one in ports:
            with urlopen(f"http://127.0.0.1:{one}/livez", timeout=10) as answer:
                assert answer.read() == b"ok\n"
        worker.kill()
        gone, alive = psutil.wait_procs(children, timeout=60)
        for process in alive:
            os.kill(process.pid, 9)
        assert len(gone) == processes
        assert len(logged()) == 1
