"""Both roads over a real store that loses what they have written: nothing is folded into what is left."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from redis.asyncio import Redis

from feature_repo import shopper
from feature_repo.row_store import Kind, RowStore
from infra.local.server import HOST
from streams.engine.continuity import Continuity
from streams.engine.item_rows import ItemRowsRoad
from streams.engine.partitions import partition_of
from streams.engine.predecessor import Predecessor
from streams.engine.row_cache import RowCache
from streams.engine.shoppers import Collaborators, ShoppersRoad
from streams.engine.store_watch import StoreWatch
from streams.errors import FencedOut, RowsLost, RowsMissing
from streams.line import Way
from streams.settings import Settings
from streams.transport import Load, RawRecord, RecordChunk
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
    """The servers that a road works with beside its store: none has anything to say."""

    catalogue = SimpleNamespace(categories=lambda _: ())

    async def catch_up(self) -> None:
        """There is no catalogue."""

    async def answer(self, questions: list[Any]) -> list[Any]:
        assert not questions
        return []

    async def send(self, _: Any, spoken: Any = lambda: None) -> None:
        spoken()

    async def vectors_of_unknown(self, _: Any) -> dict[str, Any]:
        return {}

    async def reaching(self, claims: Any) -> dict[Any, int]:
        assert not claims
        return {}

    def heard(self, *_: Any) -> None:
        """Nothing idles."""


class Roads:
    """A worker's two roads, whose answers nobody asks for."""

    def __init__(self, settings: Settings, store: RowStore) -> None:
        nobody: Any = Nobody()
        self.continuity = Continuity(settings.group)
        self.watch = StoreWatch(store, self.continuity, settings.group, time.monotonic)
        with_ = Collaborators(
            settings,
            PARTITIONS,
            store,
            nobody,
            nobody,
            nobody,
            Predecessor(None),
            nobody,
            nobody,
            nobody,
            self.continuity,
        )
        self.shoppers = ShoppersRoad((), with_)
        self.items = ItemRowsRoad(settings, PARTITIONS, store, nobody, nobody, RowCache(10), self.continuity)

    async def view(self, *offsets: int, user_id: str = "ann") -> None:
        fields = {"type": "view", "user_id": user_id, "timestamp": APPENDED, "item_id": "a"}
        await self.shoppers.travel(
            Load([chunk("events", user_id, fields, "event_id", *offsets)]), Way(None, lambda: None)
        )

    async def list(self, *offsets: int) -> None:
        await self.items.travel(chunk("items", "ann", {"title": "Tea"}, "item_id", *offsets))


def chunk(topic: str, key: str, fields: dict[str, object], name: str, *offsets: int) -> RecordChunk:
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
    return RecordChunk(topic, partition_of(key, PARTITIONS), records)


@pytest.fixture
def roads(settings: Settings, store: RowStore) -> Roads:
    return Roads(settings, store)


async def views_of(store: RowStore, user_id: str = "ann") -> int:
    [row] = await store.read(Kind.USER, [user_id])
    return sum(shopper.unpack(row.states[0]).counts)


async def test_rows_that_were_flushed_are_not_folded_into_again(roads, store, admin):
    await roads.watch.open()
    await roads.view(0, 1)
    await admin.flushall()
    with pytest.raises(RowsLost):
        await roads.view(2)
    roads.shoppers.forget()
    with pytest.raises(RowsLost, match=f"events partition {ANNS}: offset 1 was folded, and its rows are gone"):
        await roads.view(2)
    with pytest.raises(RowsLost, match="its rows are gone"):
        await roads.watch.look()
    assert await admin.dbsize() == 0


async def test_another_shopper_of_the_partition_is_not_folded_into_a_flushed_store_either(roads, store, admin):
    await roads.view(0, 1)
    await admin.flushall()
    other = next(f"u{n}" for n in range(100) if partition_of(f"u{n}", PARTITIONS) == ANNS)
    with pytest.raises(RowsLost):
        await roads.view(2, user_id=other)
    assert await admin.dbsize() == 0


async def test_rows_older_than_what_was_written_are_not_folded_into(roads, store, admin):
    await roads.view(0)
    older = {key: await admin.dump(key) for key in await admin.keys()}
    await roads.view(1, 2)
    for key, row in older.items():
        await admin.restore(key, 0, row, replace=True)
    with pytest.raises(FencedOut):  # as where another worker has written
        await roads.view(3)
    roads.shoppers.forget()
    with pytest.raises(RowsLost, match="offset 2 was folded, and its rows reach 0"):
        await roads.view(3)
    assert await views_of(store) == 1


async def test_a_worker_holds_the_rows_it_takes_against_what_the_group_has_noted(roads, store, settings):
    await roads.view(0, 1)
    await roads.list(4, 5)
    after = Roads(settings, store)
    await after.watch.take({("events", ANNS): 1, ("items", ANNS): 5, ("score.requests", ANNS): 9, ("events", 0): -1})
    await after.view(2)
    assert await views_of(store) == 3
    for noted in ({("events", ANNS): 3}, {("items", ANNS): 6}):
        with pytest.raises(RowsLost, match=r"was folded, and its rows reach (2|5)"):
            await after.watch.take(noted)


async def test_an_item_is_not_written_into_a_flushed_store(roads, admin):
    await roads.list(0, 1)
    await admin.flushall()
    with pytest.raises(RowsLost, match=f"items partition {ANNS}: offset 1 was folded"):
        await roads.list(2)
    assert await admin.dbsize() == 0


async def test_records_that_leave_no_row_move_the_partitions_place_all_the_same(roads, store, settings):
    """Dead letters, an item that came already, a withdrawn one: what is noted beside the commit is in the store."""
    await roads.view(0)
    bad = chunk("events", "ann", {"type": "no such type"}, "event_id", 1, 2)
    await roads.shoppers.travel(Load([bad]), Way(None, lambda: None))
    await roads.list(0)
    await roads.list(0)
    no_item = chunk("items", "ann", {"no title": 1}, "item_id", 3)
    await roads.items.travel(no_item)
    await Roads(settings, store).watch.take({("events", ANNS): 2, ("items", ANNS): 3})
    with pytest.raises(RowsLost, match="items partition"):
        await Roads(settings, store).watch.take({("events", ANNS): 2, ("items", ANNS): 4})


async def test_one_row_that_goes_ends_this_worker_and_the_next_until_somebody_decides(roads, settings, store, admin):
    await roads.view(0)
    [row] = [key async for key in admin.scan_iter(b"*user_id*")]
    await admin.delete(row)
    with pytest.raises(RowsMissing) as lost:
        await roads.view(1)
    with pytest.raises(RowsMissing, match="user row of 'ann' is gone"):
        await roads.watch.wait_if_not_lost(lost.value, 1)
    with pytest.raises(RowsLost, match="are not whole") as refused:
        await Roads(settings, store).watch.open()
    *_, name, field = str(refused.value).rstrip("`.").split()
    assert await admin.hdel(name, field) == 1
    await Roads(settings, store).watch.open()


async def test_what_a_replica_lacks_is_not_lost(roads, store, admin, monkeypatch):
    """A demoted server whose copy lags: its rows say nothing of what its primary has."""
    await roads.view(0)
    behind = {key: await admin.dump(key) for key in await admin.keys()}
    await roads.view(1)
    for key, row in behind.items():
        await admin.restore(key, 0, row, replace=True)
    await admin.execute_command("REPLICAOF", HOST, str(free_port()))
    await roads.watch.look()  # says so, and raises nothing
    await admin.execute_command("REPLICAOF", "NO", "ONE")
    with pytest.raises(RowsLost):
        await roads.watch.look()


async def test_evictions_end_the_worker_also_when_none_of_its_rows_is_asked_for(roads, settings, store, admin):
    await roads.watch.open()
    await roads.view(0)
    await admin.config_set("maxmemory-policy", "allkeys-random")
    await admin.mset({f"filler{n}": "x" * 4_096 for n in range(400)})
    await admin.config_set("maxmemory", (await admin.info("memory"))["used_memory"] - 500_000)
    while not (await admin.info("stats"))["evicted_keys"]:
        await admin.set("one more", "x")
        await asyncio.sleep(0)
    with pytest.raises(RowsLost):
        await roads.watch.look()
