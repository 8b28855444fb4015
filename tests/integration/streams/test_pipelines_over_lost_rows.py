"""Both pipelines over a real store that loses what they have written: nothing is folded into what is left."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from feature_repo.shoppers import shopper
from feature_repo.shoppers.scenario_states import ScenarioStateCodec
from feature_repo.store.row_store import Kind, RowStore
from headrace.errors import FencedOut, RowsLost, RowsMissing
from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from infra.local.server import HOST
from streams.kafka.transport import Batch, PartitionBatch, RawRecord
from streams.pipeline.emitted import EmittedOutputs
from streams.pipeline.items.catalogue_rows import CatalogueRowsPipeline
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.rows.continuity import Continuity
from streams.pipeline.rows.store_watch import StoreWatch
from streams.pipeline.shoppers.build import OutputBuilder
from streams.pipeline.shoppers.pipeline import ShopperInputs, ShopperPipeline
from streams.pipeline.shoppers.rows import ShopperRows
from streams.scheduler.slots import BatchSlot
from tests.integration.feature_repo.valkey_server import free_port, running_valkey

APPENDED = 1_770_000_000_000
PARTITIONS = 4
ANNS = partition_of("ann", PARTITIONS)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    port = free_port()
    with running_valkey(tmp_path, port):
        yield Settings(home=tmp_path, redis=f"{HOST}:{port}")


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[RowStore]:
    opened = await RowStore.open(settings)
    yield opened
    await opened.close()


@pytest.fixture
async def admin(settings: Settings) -> AsyncIterator[Redis]:
    async with Redis(host=HOST, port=int(settings.redis_address.split(":")[1])) as client:
        yield client


class Nobody:
    """The servers that a pipeline works with beside its store: none has anything to say."""

    catalogue = SimpleNamespace(categories=lambda _: ())

    async def catch_up(self) -> None:
        """There is no catalogue."""

    async def score(self, queries: list[Any]) -> list[Any]:
        assert not queries
        return []

    async def send(self, _: Any, on_queued: Any = lambda: None) -> None:
        on_queued()

    async def vectors_of_unknown(self, _: Any) -> dict[str, Any]:
        return {}

    async def ends_for(self, claimed: Any) -> dict[Any, int]:
        assert not claimed
        return {}

    def note_watermark(self, _: Any) -> None:
        """Nothing idles."""


class Pipelines:
    """A worker's two pipelines, whose answers nobody asks for."""

    def __init__(self, settings: Settings, store: RowStore) -> None:
        nobody: Any = Nobody()
        self.continuity = Continuity(settings.group)
        self.watch = StoreWatch(store, self.continuity, settings.group, time.monotonic)
        self.shoppers = ShopperPipeline(
            (),
            settings,
            ShopperInputs(PARTITIONS, {}, nobody, EmittedOutputs(None)),
            ShopperRows(store, self.continuity, ScenarioStateCodec(), 10),
            nobody,
            nobody,
            OutputBuilder((), settings, PARTITIONS, nobody, nobody),
            nobody,
            nobody,
        )
        self.items = CatalogueRowsPipeline(settings, PARTITIONS, store, nobody, nobody, RowCache(10), self.continuity)

    async def view(self, *offsets: int, user_id: str = "ann") -> None:
        fields = {"type": "view", "user_id": user_id, "timestamp": APPENDED, "item_id": "a"}
        await self.shoppers.process(
            Batch([batch_of("events", user_id, fields, "event_id", *offsets)]), BatchSlot(None, lambda: None)
        )

    async def list(self, *offsets: int) -> None:
        await self.items.process(batch_of("items", "ann", {"title": "Tea"}, "item_id", *offsets))


def batch_of(topic: str, key: str, fields: dict[str, object], name: str, *offsets: int) -> PartitionBatch:
    ids = [f"i{offset}" for offset in offsets]
    records = [
        RawRecord(
            topic,
            partition_of(key, PARTITIONS),
            offset,
            APPENDED,
            (id_ if topic == "items" else key).encode(),
            json.dumps({**fields, name: id_}).encode(),
            (),
        )
        for id_, offset in zip(ids, offsets, strict=True)
    ]
    return PartitionBatch(topic, partition_of(key, PARTITIONS), records)


@pytest.fixture
def pipelines(settings: Settings, store: RowStore) -> Pipelines:
    return Pipelines(settings, store)


async def views_of(store: RowStore, user_id: str = "ann") -> int:
    [row] = await store.read(Kind.USER, [user_id])
    return sum(shopper.unpack(row.states[0]).counts)


async def test_rows_that_were_flushed_are_not_folded_into_again(pipelines, store, admin):
    await pipelines.watch.open()
    await pipelines.view(0, 1)
    await admin.flushall()
    with pytest.raises(RowsLost):
        await pipelines.view(2)
    pipelines.shoppers.invalidate()
    with pytest.raises(RowsLost, match=f"events partition {ANNS}: offset 1 was folded, and its rows are gone"):
        await pipelines.view(2)
    with pytest.raises(RowsLost, match="its rows are gone"):
        await pipelines.watch.check()
    assert await admin.dbsize() == 0


async def test_another_shopper_of_the_partition_is_not_folded_into_a_flushed_store_either(pipelines, store, admin):
    await pipelines.view(0, 1)
    await admin.flushall()
    other = next(f"u{n}" for n in range(100) if partition_of(f"u{n}", PARTITIONS) == ANNS)
    with pytest.raises(RowsLost):
        await pipelines.view(2, user_id=other)
    assert await admin.dbsize() == 0


async def test_rows_older_than_what_was_written_are_not_folded_into(pipelines, store, admin):
    await pipelines.view(0)
    older = {key: await admin.dump(key) for key in await admin.keys()}
    await pipelines.view(1, 2)
    for key, row in older.items():
        await admin.restore(key, 0, row, replace=True)
    with pytest.raises(FencedOut):  # as where another worker has written
        await pipelines.view(3)
    pipelines.shoppers.invalidate()
    with pytest.raises(RowsLost, match="offset 2 was folded, and its rows reach 0"):
        await pipelines.view(3)
    assert await views_of(store) == 1


async def test_a_worker_holds_the_rows_it_takes_against_what_the_group_has_noted(pipelines, store, settings):
    await pipelines.view(0, 1)
    await pipelines.list(4, 5)
    after = Pipelines(settings, store)
    await after.watch.on_assigned(
        {("events", ANNS): 1, ("items", ANNS): 5, ("score.requests", ANNS): 9, ("events", 0): -1}
    )
    await after.view(2)
    assert await views_of(store) == 3
    for noted in ({("events", ANNS): 3}, {("items", ANNS): 6}):
        with pytest.raises(RowsLost, match=r"was folded, and its rows reach (2|5)"):
            await after.watch.on_assigned(noted)


async def test_an_item_is_not_written_into_a_flushed_store(pipelines, admin):
    await pipelines.list(0, 1)
    await admin.flushall()
    with pytest.raises(RowsLost, match=f"items partition {ANNS}: offset 1 was folded"):
        await pipelines.list(2)
    assert await admin.dbsize() == 0


async def test_records_that_leave_no_row_move_the_partitions_place_all_the_same(pipelines, store, settings):
    """Dead letters, an item that came already, a withdrawn one: what is noted beside the commit is in the store."""
    await pipelines.view(0)
    bad = batch_of("events", "ann", {"type": "no such type"}, "event_id", 1, 2)
    await pipelines.shoppers.process(Batch([bad]), BatchSlot(None, lambda: None))
    await pipelines.list(0)
    await pipelines.list(0)
    no_item = batch_of("items", "ann", {"no title": 1}, "item_id", 3)
    await pipelines.items.process(no_item)
    await Pipelines(settings, store).watch.on_assigned({("events", ANNS): 2, ("items", ANNS): 3})
    with pytest.raises(RowsLost, match="items partition"):
        await Pipelines(settings, store).watch.on_assigned({("events", ANNS): 2, ("items", ANNS): 4})


async def test_one_row_that_goes_ends_this_worker_and_the_next_until_somebody_decides(
    pipelines, settings, store, admin
):
    await pipelines.view(0)
    [row] = [key async for key in admin.scan_iter(b"*user_id*")]
    await admin.delete(row)
    with pytest.raises(RowsMissing) as lost:
        await pipelines.view(1)
    with pytest.raises(RowsMissing, match="user row of 'ann' is gone"):
        await pipelines.watch.wait_unless_lost(lost.value, 1)
    with pytest.raises(RowsLost, match="are not whole") as refused:
        await Pipelines(settings, store).watch.open()
    *_, name, field = str(refused.value).rstrip("`.").split()
    assert await admin.hdel(name, field) == 1
    await Pipelines(settings, store).watch.open()


async def test_what_a_replica_lacks_is_not_lost(pipelines, store, admin, monkeypatch):
    """A demoted server whose copy lags: its rows say nothing of what its primary has."""
    await pipelines.view(0)
    behind = {key: await admin.dump(key) for key in await admin.keys()}
    await pipelines.view(1)
    for key, row in behind.items():
        await admin.restore(key, 0, row, replace=True)
    await admin.execute_command("REPLICAOF", HOST, str(free_port()))
    await pipelines.watch.check()  # says so, and raises nothing
    await admin.execute_command("REPLICAOF", "NO", "ONE")
    with pytest.raises(RowsLost):
        await pipelines.watch.check()


async def test_evictions_end_the_worker_also_when_none_of_its_rows_is_asked_for(pipelines, settings, store, admin):
    await pipelines.watch.open()
    await pipelines.view(0)
    await admin.config_set("maxmemory-policy", "allkeys-random")
    await admin.mset({f"filler{n}": "x" * 4_096 for n in range(400)})
    await admin.config_set("maxmemory", (await admin.info("memory"))["used_memory"] - 500_000)
    while not (await admin.info("stats"))["evicted_keys"]:
        await admin.set("one more", "x")
        await asyncio.sleep(0)
    with pytest.raises(RowsLost):
        await pipelines.watch.check()
