"""A store that refuses is waited for, without a batch that is tried meanwhile, and not for ever."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from feature_repo.store.row_store import RowStore
from headrace.errors import StoreError, StoreRefused
from headrace.settings.model import Settings
from infra.local.server import HOST
from streams.pipeline.rows import store_watch
from streams.pipeline.rows.continuity import Continuity
from streams.pipeline.rows.store_watch import StoreWatch
from tests.integration.feature_repo.valkey_server import free_port, running_valkey


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    port = free_port()
    with running_valkey(tmp_path, port):
        yield port


@pytest.fixture
async def store(port: int, tmp_path: Path) -> AsyncIterator[RowStore]:
    opened = await RowStore.open(Settings(home=tmp_path, redis=f"{HOST}:{port}"))
    yield opened
    await opened.close()


class Clock:
    """Seconds that pass as they are slept."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock, turn = Clock(), asyncio.sleep

    async def sleep(seconds: float) -> None:
        clock.now += seconds
        clock.slept.append(seconds)
        await turn(0)

    monkeypatch.setattr(store_watch.asyncio, "sleep", sleep)
    return clock


@pytest.fixture
def watch(store: RowStore, clock: Clock) -> StoreWatch:
    return StoreWatch(store, Continuity("headrace"), "headrace", clock)


async def refusal_of(store: RowStore) -> StoreError:
    with pytest.raises(StoreRefused) as refused:
        await store.probe()
    return refused.value


async def test_a_store_that_goes_on_refusing_ends_the_worker_after_a_minute(port, store, watch, clock):
    async with Redis(host=HOST, port=port) as admin:
        await admin.config_set("maxmemory", "1")
        error = await refusal_of(store)
        with pytest.raises(StoreRefused, match="OOM"):
            await watch.wait(error, 1)
        assert 60 < clock.now < 90


async def test_a_store_that_takes_rows_again_is_gone_on_with(port, store, watch, clock, monkeypatch):
    async with Redis(host=HOST, port=port) as admin:
        await admin.config_set("maxmemory", "1")
        error = await refusal_of(store)
        probe, probes = store.probe, 0

        async def probed() -> None:
            nonlocal probes
            probes += 1
            if probes == 5:
                await admin.config_set("maxmemory", "0")
            await probe()

        monkeypatch.setattr(store, "probe", probed)
        await watch.wait(error, 1)
        assert probes == 5


async def test_a_store_that_takes_a_small_row_and_refuses_every_batch_ends_the_worker_too(store, watch, clock):
    tries = 0
    with pytest.raises(StoreRefused, match="this batch"):
        while True:
            tries += 1
            await watch.wait(StoreRefused("this batch"), tries)
    assert tries < 12


async def test_a_store_that_is_away_is_waited_for_without_an_end(store, watch, clock, monkeypatch):
    waited = 0

    async def up() -> None:
        nonlocal waited
        waited += 1
        clock.now += 3_600

    monkeypatch.setattr(store, "wait_until_up", up)
    for failures in range(1, 4):
        await watch.wait(StoreError("away"), failures)
    assert waited == 3


async def test_a_refusal_long_after_another_has_its_own_minute(store, watch, clock):
    await watch.wait(StoreRefused("full"), 1)
    clock.now += 10_000
    await watch.wait(StoreRefused("full"), 2)  # the first failure in this row was another
    assert clock.now < 10_060


async def test_a_server_that_was_away_has_a_minute_to_take_rows(store, watch, clock, monkeypatch):
    async def up() -> None:
        clock.now += 3_600

    monkeypatch.setattr(store, "wait_until_up", up)
    await watch.wait(StoreError("away"), 1)
    await watch.wait(StoreRefused("a replica still"), 2)
    assert clock.now < 3_660
