"""The scenario on the page works as a package of its own, installed beside Headrace in an environment of its own."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from headrace.partitioning import partition_of
from headrace.recording.reading import Record
from headrace.settings import load_settings
from streams.testing import Client, Stack, crash_points
from streams.testing.crash_points import POINTS
from streams.testing.stack import forget_group, fresh_group
from streams.testing.worker import Worker
from tests.integration.docs.pages import ROOT, blocks

PAGE = "docs/how-to/write-a-scenario.md"
TOPIC = "cart.reminders"
START, HOUR = 1_767_571_200_000, 3_600_000
SHOPPERS = 12


class Environment:
    """An environment that has all that this one has, and the page's package."""

    def __init__(self, folder: Path) -> None:
        self.python = folder / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
        [site_packages] = folder.glob("lib/python*/site-packages")
        (site_packages / "headrace.pth").write_text(f"{sysconfig.get_paths()['purelib']}\n{ROOT}\n")

    def install(self, project: Path) -> None:
        uv = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")
        command = [uv, "pip", "install", "--quiet", "--no-deps", "--python", self.python, project]
        subprocess.run(command, check=True, cwd=project)

    def headrace(self, *words: str, environment: Mapping[str, str], exit_code: int = 0) -> str:
        done = subprocess.run(
            [self.python, "-m", "headrace_cli", *words],
            env={**os.environ, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == exit_code, done.stdout
        return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    project = tmp_path_factory.mktemp("cart-reminder")
    [pyproject], [module] = blocks(PAGE, "toml"), blocks(PAGE, "python")
    (project / "pyproject.toml").write_text(pyproject)
    (project / "cart_reminder.py").write_text(module)
    environment = Environment(tmp_path_factory.mktemp("environment"))
    environment.install(project)
    return environment


def event(user_id: str, number: int, kind: str, at: int, item_id: str = "mug") -> Record:
    fields = {"event_id": f"{user_id}-{number}", "type": kind, "user_id": user_id, "timestamp": at, "item_id": item_id}
    return Record("events", user_id, at, json.dumps(fields).encode())


def carts(prefix: str) -> Iterator[Record]:
    """Shoppers who put something into their carts; every third buys it, every fourth comes back in two hours."""
    for number in range(SHOPPERS):
        user_id, at = f"{prefix}-{number}", START + number * HOUR // 7
        yield event(user_id, 0, "add_to_cart", at)
        if number % 3 == 0:
            yield event(user_id, 1, "purchase", at + HOUR // 2)
        if number % 4 == 0:
            yield event(user_id, 2, "add_to_cart", at + 2 * HOUR, "bowl")


def expected(prefix: str) -> set[tuple[str, int, str]]:
    """Shopper, time and items of every reminder."""
    found: set[tuple[str, int, str]] = set()
    for number in range(SHOPPERS):
        user_id, at = f"{prefix}-{number}", START + number * HOUR // 7
        left = number % 3 != 0
        if left:
            found.add((user_id, at + HOUR, "mug"))
        if number % 4 == 0:
            found.add((user_id, at + 3 * HOUR, "mug,bowl" if left else "bowl"))
    return found


def reminders(client: Client) -> list[dict[str, Any]]:
    return [message.value for message in client.received(TOPIC)]


def described(found: list[dict[str, Any]]) -> set[tuple[str, int, str]]:
    return {(one["user_id"], one["timestamp"], ",".join(one["items"])) for one in found}


def worker_of(installed: Environment) -> tuple[str, ...]:
    return str(installed.python), "-m", "headrace_cli", "worker", "--processes", "1"


def await_end(worker: Worker, within: float) -> bool:
    deadline = time.monotonic() + within
    while worker.running and time.monotonic() < deadline:
        time.sleep(0.1)
    return not worker.running


def dumped(installed: Environment, out: Path, environment: Mapping[str, str]) -> str:
    """The rows of the online store."""
    installed.headrace("features", "dump", "--out", str(out), environment=environment)
    return out.read_text()


def folded(installed: Environment, records: list[Record], folder: Path, environment: Mapping[str, str]) -> str:
    """The rows that the stream comes to without a worker."""
    stream, out = folder / "stream.jsonl", folder / "offline.jsonl"
    stream.write_bytes(b"".join(record.value + b"\n" for record in records if record.value))
    installed.headrace("features", "fold", "--stream", str(stream), "--out", str(out), environment=environment)
    return out.read_text()


def neighbour_of(user_id: str) -> str:
    """Another shopper of the same partition."""
    names = (f"{user_id}-neighbour-{number}" for number in count())
    partitions = load_settings().partitions
    return next(name for name in names if partition_of(name, partitions) == partition_of(user_id, partitions))


@pytest.fixture
def topic(installed: Environment, headrace_stack: Stack, headrace_group: str) -> str:
    return installed.headrace("topics", "create", environment=headrace_stack.environment(headrace_group))


def in_order(prefix: str) -> list[Record]:
    return sorted(carts(prefix), key=lambda record: record.timestamp)


def test_it_answers_on_its_own_topic_and_appears_wherever_topics_and_features_do(
    installed: Environment, headrace_stack: Stack, headrace_group: str, topic: str, tmp_path: Path
):
    assert "created" in topic
    environment = headrace_stack.environment(headrace_group) | {"HEADRACE_METRICS_PORT": "19400"}
    prefix = headrace_group
    worker = Worker(environment, tmp_path / "worker.log", command=worker_of(installed))
    try:
        with Client(headrace_stack.settings(headrace_group), [TOPIC]) as client:
            client.replay(in_order(prefix), wait=True)
            client.expect(TOPIC, count=len(expected(prefix)))
            assert described(reminders(client)) == expected(prefix)
        port = int(worker.log.read_text().rpartition("metrics on port ")[2].split()[0])
        metrics = urlopen(f"http://127.0.0.1:{port}/metrics").read().decode()
        assert f'headrace_outputs_total{{fallback="none",topic="{TOPIC}"}}' in metrics
    finally:
        assert worker.stop() == 0
    tailed = installed.headrace("tail", TOPIC, "--from-beginning", "--timeout", "3", environment=environment)
    assert {json.loads(line)["key"] for line in tailed.splitlines() if line.startswith("{")} >= {f"{prefix}-1"}
    features = installed.headrace("features", "user", f"{prefix}-1", "--json", environment=environment)
    assert json.loads(features.splitlines()[-1])["features"]["cart"] == {"items": ["mug"]}
    reference = tmp_path / "reference"
    done = subprocess.run([installed.python, "-m", "headrace_cli.reference.pages", reference], check=False)
    assert done.returncode == 0
    assert TOPIC in (reference / "topics.md").read_text()
    assert "CartReminder" in (reference / "messages.md").read_text()


def test_a_timer_fires_where_nothing_else_happens(
    installed: Environment, headrace_stack: Stack, headrace_group: str, topic: str, tmp_path: Path
):
    settings = {"HEADRACE_METRICS_PORT": "0", "HEADRACE_IDLE": "3s", "HEADRACE_LATENESS": "1s"}
    environment = headrace_stack.environment(headrace_group) | settings
    worker = Worker(environment, tmp_path / "worker.log", command=worker_of(installed))
    try:
        with Client(headrace_stack.settings(headrace_group), [TOPIC]) as client:
            due = time.time_ns() // 1_000_000 + 3_000
            other = neighbour_of(headrace_group)
            # The newest event of the partition is a moment before the timer; nothing comes after it.
            client.replay([event(headrace_group, 0, "add_to_cart", due - HOUR), event(other, 0, "view", due - 2_000)])
            [reminder] = client.expect(TOPIC, where=lambda message: message.key == headrace_group)
            assert reminder.value["timestamp"] == due
    finally:
        assert worker.stop() == 0


@pytest.mark.parametrize("step", [*POINTS])
def test_a_worker_that_is_killed_at_a_step_leaves_no_trace(
    installed: Environment, headrace_stack: Stack, headrace_group: str, topic: str, tmp_path: Path, step: str
):
    records, prefix = in_order(headrace_group), headrace_group
    environment = headrace_stack.environment(headrace_group) | {"HEADRACE_METRICS_PORT": "0", "HEADRACE_CHUNK": "4"}
    _, *crash = crash_points.command(step, 1)
    worker = Worker(environment, tmp_path / "killed.log", command=(str(installed.python), *crash))
    with Client(headrace_stack.settings(headrace_group), [TOPIC, "recommendations"]) as client:
        client.replay(records[:4])
        client.expect("recommendations")  # it is killed at a step after its first output
        client.replay(records[4:-4])
        assert await_end(worker, 30.0), "it was not killed"
        worker = Worker(environment, tmp_path / "next.log", command=worker_of(installed))
        try:
            client.replay(records[-4:], wait=True)
            client.expect(TOPIC, count=len(expected(prefix)))
            found = reminders(client)
            dump = dumped(installed, tmp_path / "rows.jsonl", environment)
        finally:
            assert worker.stop() == 0
    once = {one["id"]: one for one in found}
    assert [one for one in found if one != once[one["id"]]] == []
    assert described(list(once.values())) == expected(prefix)
    assert dump == folded(installed, records, tmp_path, environment)


def test_a_replay_is_equal_in_small_batches_and_over_a_worker_that_is_killed(
    installed: Environment, headrace_stack: Stack, headrace_group: str, topic: str, tmp_path: Path
):
    records = in_order(f"equal-{headrace_group}")
    found: list[Counter[str]] = []
    dumps: list[str] = []
    for records_a_batch, kill in (("512", False), ("3", True)):
        group = fresh_group(headrace_stack)
        environment = headrace_stack.environment(group) | {
            "HEADRACE_METRICS_PORT": "0",
            "HEADRACE_CHUNK": records_a_batch,
        }
        environment |= {"HEADRACE_ANSWER_AGAIN": "on"}
        worker = Worker(environment, tmp_path / f"{group}.log", command=worker_of(installed))
        try:
            with Client(headrace_stack.settings(group), [TOPIC]) as client:
                client.replay(records[: len(records) // 2])
                if kill:
                    worker.kill()
                    worker = Worker(environment, tmp_path / f"{group}-2.log", command=worker_of(installed))
                client.replay(records[len(records) // 2 :], wait=True)
                client.expect(TOPIC, count=len(expected(f"equal-{headrace_group}")))
                found.append(Counter(json.dumps(one, sort_keys=True) for one in reminders(client)))
            dumps.append(dumped(installed, tmp_path / f"{records_a_batch}.jsonl", environment))
        finally:
            worker.stop()
            forget_group(headrace_stack, group)
    whole, cut = found
    assert whole.keys() == cut.keys()
    assert described([json.loads(one) for one in whole]) == expected(f"equal-{headrace_group}")
    environment = headrace_stack.environment(headrace_group)
    assert dumps == [folded(installed, records, tmp_path, environment)] * 2
    assert '"view":"cart"' in dumps[0]
