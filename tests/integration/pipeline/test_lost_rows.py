"""A store that loses rows, or takes none, under a worker: nothing is folded into what is not whole, and it says so."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from benchmarks.outage.forwarder import forwarding
from feature_repo.shoppers import shopper
from feature_repo.store.row_store import Kind, RowStore, StoredRow
from headrace.errors import StackError
from headrace.settings.model import Settings
from infra.local.server import HOST
from streams.testing import Client, Stack, event
from streams.testing.plugin import StartWorker
from streams.testing.worker import Worker
from tests.integration.feature_repo.valkey_server import free_port, running_valkey

_ENDS_WITHIN_S = 60


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A store of the test's own: others share theirs."""
    port = free_port()
    with running_valkey(tmp_path, port):
        yield f"{HOST}:{port}"


@pytest.fixture
def settings(headrace_stack: Stack, headrace_group: str, address: str) -> Settings:
    return headrace_stack.settings(headrace_group).model_copy(update={"redis": address})


def to(address: str) -> redis.Redis:
    return redis.Redis(*address.split(":"))


async def row_of(settings: Settings, user_id: str) -> StoredRow:
    store = await RowStore.open(settings)
    [row] = await store.read(Kind.USER, [user_id])
    await store.close()
    return row


async def views_of(settings: Settings, user_id: str) -> int:
    return sum(shopper.unpack((await row_of(settings, user_id)).states[0]).counts)


def last_words(worker: Worker) -> str:
    """The line that a worker ends with, by itself and with status 1."""
    deadline = time.monotonic() + _ENDS_WITHIN_S
    while worker.running:
        assert time.monotonic() < deadline, "the worker goes on"
        time.sleep(0.1)
    assert worker.stop() == 1
    [line] = [line for line in worker.log_tail().splitlines() if line.startswith("headrace: ")]
    return line


def wait_for_lines(worker: Worker, line: str, count: int) -> None:
    while worker.log_tail().count(line) < count:
        assert worker.running
        time.sleep(0.1)


def views(user_id: str, count: int) -> list:
    return [event("view", user_id, item_id="a") for _ in range(count)]


async def test_a_flushed_store_ends_the_worker_and_the_next_one(
    settings: Settings, headrace_client: Client, headrace_worker: StartWorker
):
    worker = headrace_worker(HEADRACE_REDIS=settings.redis_address)
    headrace_client.replay(views("ann", 3), wait=True)
    assert await views_of(settings, "ann") == 3
    to(settings.redis_address).flushall()
    headrace_client.replay(views("ann", 1))
    assert "lost features of events partition" in (words := last_words(worker))
    assert "its rows are gone. Restore a backup that holds what was folded, or set HEADRACE_GROUP" in words
    assert await row_of(settings, "ann") == StoredRow(b"", b"", (b"", b""))
    with pytest.raises(StackError, match=r"status 1 before it was ready(.|\n)*lost features of"):
        headrace_worker(HEADRACE_REDIS=settings.redis_address)
    assert await row_of(settings, "ann") == StoredRow(b"", b"", (b"", b""))


async def test_a_store_that_refuses_hears_of_an_event_again_when_it_takes_rows_and_one_row_that_goes_ends_the_worker(
    settings: Settings, headrace_client: Client, headrace_worker: StartWorker
):
    worker, admin = headrace_worker(HEADRACE_REDIS=settings.redis_address), to(settings.redis_address)
    headrace_client.replay(views("ann", 1), wait=True)
    admin.config_set("maxmemory", "1")
    headrace_client.replay(views("ann", 1))
    wait_for_lines(worker, "waiting for the online store", 4)
    admin.config_set("maxmemory", "0")
    headrace_client.replay(views("ann", 1), wait=True)
    assert await views_of(settings, "ann") == 3
    times = Counter(m.value["id"] for m in headrace_client.received("recommendations") if m.key == "ann")
    assert len(times) == 3
    assert max(times.values()) <= 2, "answers were sent again while the store refused"

    [row] = [key for key in admin.scan_iter(b"*user_id*") if b"ann" in key]
    admin.delete(row)
    headrace_client.replay(views("ann", 1))
    assert "user row of 'ann' is gone" in last_words(worker)
    with pytest.raises(StackError, match=r"rows of group .* are not whole(.|\n)*HDEL headrace:"):
        headrace_worker(HEADRACE_REDIS=settings.redis_address)
    assert await row_of(settings, "ann") == StoredRow(b"", b"", (b"", b""))


async def test_a_failover_is_followed_and_one_to_a_replica_that_lags_ends_the_worker(
    settings: Settings, headrace_client: Client, headrace_worker: StartWorker, tmp_path: Path
):
    first, port = to(settings.redis_address), free_port()
    first.config_set("repl-diskless-sync-delay", "0")
    with (
        running_valkey(tmp_path / "second", port, "--replicaof", settings.redis_address.replace(":", " ")),
        forwarding(settings.redis_address) as name,
    ):
        second = to(f"{HOST}:{port}")
        worker = headrace_worker(HEADRACE_REDIS=name.address, HEADRACE_DURABLE_REPLICAS="1")
        headrace_client.replay(views("ann", 3), wait=True)

        second.execute_command("REPLICAOF", "NO", "ONE")
        name.target = f"{HOST}:{port}"
        first.execute_command("REPLICAOF", HOST, str(port))
        second.config_set("repl-diskless-sync-delay", "0")
        headrace_client.replay(views("ann", 2), wait=True)
        behind = settings.model_copy(update={"redis": name.target})
        assert await views_of(behind, "ann") == 5
        assert "READONLY" in worker.log_tail()

        first.execute_command("REPLICAOF", "NO", "ONE")  # and hears of nothing any more
        third = free_port()
        with running_valkey(tmp_path / "third", third, "--replicaof", f"{HOST} {port}"):
            headrace_client.replay(views("ann", 2), wait=True)
            name.target = settings.redis_address
            name.cut()
            headrace_client.replay(views("ann", 1))
            assert "its rows reach" in (words := last_words(worker))
            assert "lost features of events partition" in words
        assert await views_of(settings, "ann") == 5
