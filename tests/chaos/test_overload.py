"""More than a worker can take, from all shoppers, from one, or in one event: it takes its time, and nobody starves."""

import re
import socket
import time
from collections.abc import Callable, Iterator
from urllib.request import urlopen

import psutil
import pytest

from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from streams.kafka.admin.broker import Broker
from streams.kafka.admin.copartition import prepare
from streams.recordings.traffic.replaying import Replayer
from streams.testing import Client, Message, Record, Stack, Worker, event, item
from streams.testing.plugin import StartWorker

NO_MODEL = {"HEADRACE_TRITON": "127.0.0.1:9", "HEADRACE_FEATURE_LOG": "0"}
"""How a pipeline is loaded, and how much waits before it, does not depend on who answers."""
MEGABYTE = 1_000_000
LARGEST = 4_194_304
"""The most that `HEADRACE_MAX_EVENT_BYTES` can be."""
HOT = 10_000
BACKLOG = 8_000
RSS = 1_000_000_000
PATIENCE_S = 300


@pytest.fixture
def settings(headrace_stack: Stack, headrace_group: str) -> Settings:
    made = headrace_stack.settings(headrace_group)
    prepare(made)
    return made


@pytest.fixture
def answers(settings: Settings) -> Iterator[Client]:
    with Client(settings, ["recommendations"]) as client:
        yield client


@pytest.fixture
def producer(settings: Settings) -> Iterator[Replayer]:
    with Replayer(settings) as replayer:
        replayer.send(item(f"i{n}", title=f"Thing {n}") for n in range(40))
        yield replayer


def views(user_ids: list[str], prefix: str, first: int = 0) -> list[Record]:
    return [event("view", u, item_id=f"i{n % 40}", event_id=f"{prefix}-{n}") for n, u in enumerate(user_ids, first)]


class Watched:
    """A worker's process and its metrics, looked at while it works."""

    def __init__(self, worker: Worker, port: int) -> None:
        self._process = psutil.Process(worker.pid)
        self._port = port
        self._rebalances = self._metric("headrace_rebalances_total")
        assert self._rebalances > 0
        self.memory: list[int] = []
        self.lags: list[float] = []

    def look(self) -> None:
        self.memory.append(self._process.memory_info().rss)
        self.lags.append(self._metric('headrace_lag_records{topic="events"}'))
        assert self._metric("headrace_rebalances_total") == self._rebalances

    def _metric(self, name: str) -> float:
        with urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=30) as page:
            found = re.search(f"^{re.escape(name)} (.+)$", page.read().decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0


def eventually(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_producer_faster_than_the_pipeline_makes_a_lag_that_is_seen_and_worked_off(
    headrace_worker: StartWorker, settings: Settings, producer: Replayer
):
    port = free_port()
    watched = Watched(headrace_worker(**NO_MODEL, HEADRACE_METRICS_PORT=str(port)), port)
    with Broker(settings.kafka_connection) as broker:
        outputs = _counter(broker)
        sent = 0

        def work_under_load() -> bool:
            """Keep a backlog ahead of the worker until it has told of it."""
            nonlocal sent
            missing = max(BACKLOG - (sent - outputs()), 0)
            producer.send(views([f"u{n % 997}" for n in range(missing)], "e", first=sent))
            sent += missing
            watched.look()
            return watched.lags[-1] > 0

        eventually(work_under_load, "the lag shows in the metrics")

        def worked_off() -> bool:
            watched.look()
            return outputs() >= sent and watched.lags[-1] == 0

        eventually(worked_off, "the backlog is worked off, and the metrics say so")
        assert outputs() == sent >= BACKLOG
    assert max(watched.memory) < RSS


def _counter(broker: Broker) -> Callable[[], int]:
    """Counts answers from now on, without reading them."""
    before = sum(broker.ends(["recommendations"]).values())
    return lambda: sum(broker.ends(["recommendations"]).values()) - before


def test_a_hot_shopper_holds_up_no_other_partition_and_its_own_keeps_its_order(
    headrace_worker: StartWorker, settings: Settings, answers: Client, producer: Replayer
):
    home = partition_of("hot", settings.partitions)
    others = [f"s{n}" for n in range(300)]
    elsewhere = [u for u in others if partition_of(u, settings.partitions) != home][:200]
    beside = [u for u in others if partition_of(u, settings.partitions) == home]
    producer.send(views(["hot"] * HOT, "hot"))
    headrace_worker(**NO_MODEL, HEADRACE_CHUNK="128")
    answers.expect("recommendations", within=PATIENCE_S)
    producer.send(views(elsewhere + beside, "other"))

    outputs = answers.expect("recommendations", count=HOT + len(elsewhere) + len(beside), within=PATIENCE_S)
    last = max(m.timestamp for m in outputs if m.key in elsewhere)
    assert sum(m.timestamp < last for m in outputs if m.key == "hot") < HOT // 2
    in_home = sorted((m for m in outputs if m.partition == home), key=lambda m: m.offset)
    assert [m.key for m in in_home] == ["hot"] * HOT + beside
    assert [m.value["event_id"] for m in in_home[:HOT]] == [f"hot-{n}" for n in range(HOT)]


BIG = {
    "view": event("view", "big", event_id="view", item_id="i1", context={"note": "x" * MEGABYTE}),
    "search": event("search", "big", event_id="search", query="x" * MEGABYTE),
    "impression": event("impression", "big", event_id="impression", items=["i1"], context={"note": "x" * MEGABYTE}),
}
"""Each is answered where it is allowed."""
SHOPPERS = [*(f"s{n}" for n in range(20)), "big"]
NEIGHBOURS = {f"{when} {name}-{n}" for name in BIG for when in ("before", "after") for n in range(len(SHOPPERS))}


def of_size(size: int) -> Record:
    """A view of so many bytes."""
    empty = event("view", "big", event_id="largest", item_id="i1", context={"note": ""})
    assert empty.value is not None
    filling = b"x" * (size - len(empty.value))
    return empty._replace(value=empty.value.replace(b'"note":""', b'"note":"%b"' % filling))


@pytest.fixture
def stream() -> list[Record]:
    """The big events, each among events of other shoppers, and of its own."""
    records: list[Record] = [item(f"i{n}", title=f"Thing {n}") for n in range(3)]
    for name, one in BIG.items():
        records += [*views(SHOPPERS, f"before {name}"), one, *views(SHOPPERS, f"after {name}")]
    return records


def ids(messages: list[Message]) -> set[str]:
    return {m.value["event_id"] for m in messages}


def test_an_event_of_a_megabyte_is_refused_and_others_are_answered(
    headrace_worker: StartWorker, headrace_client: Client, stream: list[Record]
):
    headrace_worker()
    headrace_client.replay(stream, wait=True)
    letters = headrace_client.received("dead.letters")
    assert {letter.raw for letter in letters} == {one.value for one in BIG.values()}
    assert {letter.headers["headrace.reason"] for letter in letters} == {"too_large"}
    assert ids(headrace_client.received("recommendations")) == NEIGHBOURS


def test_an_event_of_a_megabyte_and_the_largest_there_may_be_are_answered_where_they_are_allowed(
    headrace_worker: StartWorker, headrace_client: Client, stream: list[Record]
):
    headrace_worker(HEADRACE_MAX_EVENT_BYTES=str(LARGEST))
    headrace_client.replay([*stream, of_size(LARGEST)], wait=True)
    assert headrace_client.received("dead.letters") == []
    assert ids(headrace_client.received("recommendations")) == NEIGHBOURS | {"view", "search", "largest"}
    assert ids(headrace_client.received("ctr.scores")) == {"impression"}
