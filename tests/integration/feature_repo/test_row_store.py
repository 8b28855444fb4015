"""Rows of the online store: what is written is read, behind fences, all or nothing."""

import asyncio
import signal

import pytest
from redis.asyncio import Redis
from valkey_server import free_port, running_valkey, user

from feature_repo.store.layout import row_key
from feature_repo.store.row_store import PERSIST, Kind, RowStore, RowWrite, StoredRow
from headrace.errors import FencedOut, RowsMissing, StoreError
from headrace.settings.model import Durable

ABSENT = StoredRow(b"", b"", (b"", b""))


async def test_what_is_written_is_read_in_the_order_asked(store):
    await store.write([user("a", b"", b"1", b"state of a"), user("b", b"", b"1", b"state of b")])
    found = await store.read(Kind.USER, ["b", "nobody", "a"])
    ours, theirs = (StoredRow(b"1", b"seen", (b"state of b", b"")), StoredRow(b"1", b"seen", (b"state of a", b"")))
    assert found == [ours, ABSENT, theirs]


async def test_rows_of_every_kind_go_in_one_write(store):
    item = RowWrite(Kind.ITEM, "x", b"", b"1", b"", (b"described", b"counted", b"older"), 5)
    shard = RowWrite(Kind.SHARD, "events/0", b"", b"1", b"", (b"marks", None), 5)
    await store.write([user("x", b"", b"1"), item, shard])
    assert (await store.read(Kind.ITEM, ["x"]))[0].states == (b"described", b"counted", b"older")
    assert (await store.read(Kind.SHARD, ["events/0"]))[0].states == (b"marks", b"")
    assert (await store.read(Kind.USER, ["x"]))[0].states == (b"state", b"")


async def test_the_version_of_rows_goes_up_and_never_down(store):
    assert [await store.raise_schema(version) for version in (3, 1, 4)] == [3, 3, 4]


async def test_a_view_written_as_none_stays_as_it_is(store):
    await store.write([RowWrite(Kind.ITEM, "x", b"", b"1", b"", (b"described", None, b"older"), 5)])
    await store.write([RowWrite(Kind.ITEM, "x", b"1", b"2", b"", (None, b"counted", None), 5)])
    assert await store.read(Kind.ITEM, ["x"]) == [StoredRow(b"2", b"", (b"described", b"counted", b"older"))]


async def test_any_bytes_survive(store):
    state = bytes(range(256)) * 300
    await store.write([user("ü\x00*", b"", bytes(range(256)), state)])
    assert await store.read(Kind.USER, ["ü\x00*"]) == [StoredRow(bytes(range(256)), b"seen", (state, b""))]


async def test_a_moved_fence_fences_the_writer_out_and_nothing_is_written(store):
    await store.write([user("a", b"", b"1"), user("b", b"", b"1")])
    await store.write([user("b", b"1", b"successor")])
    with pytest.raises(FencedOut, match="'b'"):
        await store.write([user("a", b"1", b"2", b"new"), user("b", b"1", b"2", b"new")])
    found = await store.read(Kind.USER, ["a", "b"])
    assert [row.fence for row in found] == [b"1", b"successor"]
    assert [row.states for row in found] == [(b"state", b""), (b"state", b"")]


async def test_rows_that_are_packed_apart_are_one_write(store):
    rows = [user(f"u{n}", b"", b"1", f"state {n}".encode()) for n in range(600)]
    shards = [RowWrite(Kind.SHARD, "ä", b"", b"1", b"", (b"marks", None), 5)]
    await store.write([user("u599", b"", b"other's")])
    await store.write([RowWrite(Kind.SHARD, "ö", b"", b"1", b"", (b"marks", None), 5)])
    with pytest.raises(FencedOut, match="user row of 'u599'"):
        await store.write_serialised(
            [store.serialise(rows[:250]), store.serialise(rows[250:]), store.serialise(shards)]
        )
    moved = shards[0]._replace(key="ö", expected=b"2", fence=b"3")
    with pytest.raises(FencedOut, match="shard row of 'ö'"):
        await store.write_serialised([store.serialise(rows[:2]), store.serialise([moved])])
    assert (await store.read(Kind.USER, ["u0"]))[0].fence == b""
    await store.write_serialised([store.serialise(rows[:250]), store.serialise([]), store.serialise(rows[250:599])])
    found = await store.read(Kind.USER, [row.key for row in rows[:599]])
    assert [row.states for row in found] == [(f"state {n}".encode(), b"") for n in range(599)]


async def test_of_two_writers_that_read_the_same_one_wins(store):
    outcomes = await asyncio.gather(
        *(store.write([user("a", b"", f"{n}".encode())]) for n in range(8)), return_exceptions=True
    )
    assert sum(outcome is None for outcome in outcomes) == 1
    assert sum(isinstance(outcome, FencedOut) for outcome in outcomes) == 7


async def test_a_retry_after_a_lost_answer_counts_as_written(store):
    write = [user("a", b"", b"1"), user("b", b"", b"1")]
    await store.write(write)
    await store.write(write)
    assert [row.fence for row in await store.read(Kind.USER, ["a", "b"])] == [b"1", b"1"]


async def test_a_retry_writes_nothing_but_its_fence(store):
    await store.write([user("a", b"", b"1", b"mine")])
    await store.write([user("a", b"1", b"1", b"successor's, under the same fence")])
    await store.write([user("a", b"", b"1", b"mine")])
    assert (await store.read(Kind.USER, ["a"]))[0].states == (b"successor's, under the same fence", b"")


async def test_a_retry_writes_its_fence_so_that_there_is_something_to_wait_for(store, valkey):
    host, port = valkey.split(":")
    write = [user("a", b"", b"1")]
    await store.write(write)
    async with Redis(host=host, port=int(port)) as admin:
        before = (await admin.info("persistence"))["aof_current_size"]
        await store.write(write)
        assert (await admin.info("persistence"))["aof_current_size"] > before


async def test_an_older_event_is_written_too_since_the_fence_alone_decides(store):
    await store.write([user("a", b"", b"1", b"new", at=9_000)])
    await store.write([user("a", b"1", b"2", b"late", at=1_000)])
    assert (await store.read(Kind.USER, ["a"]))[0].states == (b"late", b"")


async def test_groups_share_nothing(store, make_settings):
    await store.write([user("a", b"", b"1")])
    other = await RowStore.open(make_settings(group="other"))
    assert await other.read(Kind.USER, ["a"]) == [ABSENT]
    await other.remember({"events": "id:4"})
    assert await store.remember({}) == {}
    await other.close()


async def test_keys_are_those_of_the_kind_and_group(store, make_settings):
    await store.write([user(f"u{n}", b"", b"1") for n in range(50)])
    await store.write([RowWrite(Kind.ITEM, "i", b"", b"1", b"", (b"x", None, None), 5)])
    ends_alike = await RowStore.open(make_settings(group="x" + make_settings().group))
    await ends_alike.write([user("stranger", b"", b"1")])
    assert {key async for key in store.keys(Kind.USER)} == {f"u{n}" for n in range(50)}
    await ends_alike.close()


async def test_nothing_to_do_is_no_error(store):
    assert await store.read(Kind.USER, []) == []
    await store.write([])
    await store.add_trending(0, {})


async def test_topics_are_remembered_as_first_seen(store):
    assert await store.remember({"events": "id1:4"}) == {"events": "id1:4"}
    stored = await store.remember({"events": "id2:4", "items": "id3:4"})
    assert stored == {"events": "id1:4", "items": "id3:4"}


async def test_trending_adds_up_the_last_hours(store):
    await store.add_trending(100, {"a": 5, "b": 1})
    await store.add_trending(101, {"b": 7})
    await store.add_trending(101, {"b": 1, "c": 2})
    assert await store.trending(101, 2, 2) == [("b", 9), ("a", 5)]
    assert await store.trending(101, 1, 10) == [("b", 8), ("c", 2)]
    assert await store.trending(500, 24, 10) == []


async def test_an_unreachable_store_is_one_line_that_says_what_to_do(make_settings):
    with pytest.raises(StoreError, match="headrace up"):
        await RowStore.open(make_settings(redis=f"127.0.0.1:{free_port()}"))


async def test_durable_on_needs_an_append_only_file(make_settings, valkey):
    host, port = valkey.split(":")
    async with Redis(host=host, port=int(port)) as admin:
        await admin.config_set("appendonly", "no")
        try:
            with pytest.raises(StoreError, match="appendonly yes"):
                await RowStore.open(make_settings(durable=Durable.ON))
        finally:
            await admin.config_set("appendonly", "yes")


@pytest.mark.parametrize(("durable", "waits"), [(Durable.AUTO, 2), (Durable.ON, 2), (Durable.OFF, 0)])
async def test_every_write_is_waited_for_on_disk_unless_told_otherwise(make_settings, valkey, durable, waits):
    host, port = valkey.split(":")
    store = await RowStore.open(make_settings(durable=durable))
    async with Redis(host=host, port=int(port)) as admin:
        await admin.config_resetstat()
        await store.write([user("a", b"", b"1")])
        await store.write([user("a", b"", b"1")])  # a retry as well
        stats = await admin.info("commandstats")
    assert stats.get("cmdstat_waitaof", {"calls": 0})["calls"] == waits
    await store.close()


async def test_what_was_written_survives_a_killed_server(tmp_path, make_settings):
    port = free_port()
    settings = make_settings(redis=f"127.0.0.1:{port}", durable=Durable.ON)
    with running_valkey(tmp_path, port) as process:
        store = await RowStore.open(settings)
        await store.write([user("a", b"", b"1")])
        process.send_signal(signal.SIGKILL)
        process.wait()
        with pytest.raises(StoreError):
            await store.read(Kind.USER, ["a"])
    with running_valkey(tmp_path, port):
        await store.wait_until_up()
        assert (await store.read(Kind.USER, ["a"]))[0].fence == b"1"
        await store.write([user("a", b"1", b"2")])
        await store.close()


async def test_a_row_that_is_to_go_goes_unless_it_is_written_for_good(store):
    """Rows of ids that no catalogue has: the item's record keeps them."""
    for key in ("gone", "kept", "renewed"):
        await store.write([RowWrite(Kind.ITEM, key, b"", b"1", b"", (None, b"counted", None), 5, ttl_ms=60_000)])
    await store.write([RowWrite(Kind.ITEM, "kept", b"1", b"2", b"", (b"described", None, None), 5, ttl_ms=PERSIST)])
    await store.write([RowWrite(Kind.ITEM, "renewed", b"1", b"2", b"", (None, b"again", None), 5, ttl_ms=90_000_000)])
    left = {key: await store._client.pttl(row_key(Kind.ITEM, key, store._group)) for key in ("gone", "kept", "renewed")}
    assert 0 < left["gone"] <= 60_000
    assert left["kept"] == -1
    assert 60_000 < left["renewed"] <= 90_000_000
    await store.write([RowWrite(Kind.ITEM, "gone", b"1", b"2", b"", (None, b"counted", None), 5, ttl_ms=2)])
    for _ in range(1_000):
        if not (await store.read(Kind.ITEM, ["gone"]))[0].fence:
            break
        await asyncio.sleep(0.01)
    assert await store.read(Kind.ITEM, ["gone"]) == [StoredRow(b"", b"", (b"", b"", b""))]
    assert (await store.read(Kind.ITEM, ["kept"]))[0].states == (b"described", b"counted", b"")


async def test_a_row_that_has_expired_is_read_again_and_one_that_should_be_there_is_missing(store):
    for kept in ("expiring", "lasting"):
        await store.write([RowWrite(Kind.ITEM, kept, b"", b"1", b"", (None, b"counted", None), 5)])
        await store._client.unlink(row_key(Kind.ITEM, kept, store._group))
    with pytest.raises(FencedOut):
        await store.write([RowWrite(Kind.ITEM, "expiring", b"1", b"2", b"", (None, b"more", None), 6, ttl_ms=60_000)])
    with pytest.raises(RowsMissing):
        await store.write([RowWrite(Kind.ITEM, "lasting", b"1", b"2", b"", (None, b"more", None), 6)])
