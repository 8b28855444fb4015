"""What an online store must be: a primary that takes rows, keeps them and can be asked whether they are on disk."""

import contextlib
import re
from pathlib import Path

import pytest
from redis.asyncio import Redis
from valkey_server import free_port, running_valkey, user

from feature_repo.store import durability
from feature_repo.store.row_store import Kind, RowStore
from headrace.errors import FencedOut, RowsMissing, StoreRefused
from headrace.settings.model import Durable
from infra.local.server import HOST


@contextlib.asynccontextmanager
async def configured(address: str, **options: str):
    """A connection to a server that is configured otherwise for a while."""
    host, port = address.split(":")
    async with Redis(host=host, port=int(port)) as admin:
        before = {name: (await admin.config_get(name))[name] for name in options}
        for name, value in options.items():
            await admin.config_set(name, value)
        try:
            yield admin
        finally:
            for name, value in before.items():
                await admin.config_set(name, value)


@contextlib.asynccontextmanager
async def opened(settings):
    store = await RowStore.open(settings)
    try:
        yield store
    finally:
        await store.close()


async def test_a_store_that_takes_rows_is_one_and_keeps_nothing_of_the_probe(store, valkey):
    async with configured(valkey) as admin:
        before = await admin.dbsize()
        await store.probe()
        assert await admin.dbsize() == before


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-lfu", "allkeys-random"])
async def test_a_store_that_would_evict_rows_is_refused_with_what_to_set(store, valkey, policy):
    async with configured(valkey, **{"maxmemory-policy": policy}):
        with pytest.raises(StoreRefused, match=rf"{policy}.*maxmemory-policy noeviction"):
            await store.probe()


@pytest.mark.parametrize("policy", ["noeviction", "volatile-lru", "volatile-ttl"])
async def test_a_store_that_evicts_only_what_has_a_time_to_live_is_taken(store, valkey, policy):
    async with configured(valkey, **{"maxmemory-policy": policy}):
        await store.probe()
        assert (await store.facts()).policy == policy


async def test_a_full_store_is_refused_and_nothing_is_half_written(store, valkey):
    async with configured(valkey, maxmemory="1"):
        for refused in (store.probe(), store.write([user("a", b"", b"1"), user("b", b"", b"1")])):
            with pytest.raises(StoreRefused, match=r"OOM.*maxmemory"):
                await refused
    assert [row.fence for row in await store.read(Kind.USER, ["a", "b"])] == [b"", b""]


async def test_a_user_without_rights_or_with_a_wrong_password_is_told_so(valkey, make_settings):
    async with configured(valkey) as admin:
        await admin.acl_setuser("reader", enabled=True, passwords=["+secret"], keys=["*"], categories=["+@read"],
                                commands=["+info", "+eval", "+ping"])  # fmt: skip
        for password, message in (("secret", "NOPERM.*allow this user"), ("wrong", "WRONGPASS.*a user and a password")):
            settings = make_settings(redis=f"{valkey},username=reader,password={password}", durable=Durable.OFF)
            async with opened(settings) as store:
                with pytest.raises(StoreRefused, match=message) as refused:
                    await store.probe()
                await store.wait_until_up()  # it is: there is nothing to wait for
                assert password not in str(refused.value).replace("a password", "")
        await admin.acl_deluser("reader")


async def test_the_rights_that_the_page_names_are_enough(valkey, make_settings):
    page = Path(__file__).parents[3].joinpath("docs/how-to/deploying.md").read_text()
    rights = re.search(r"needs `(\+eval [^`]+)`", page)[1].split()
    async with configured(valkey) as admin:
        await admin.acl_setuser("worker", enabled=True, passwords=["+secret"], keys=["*"], commands=rights)
        async with opened(
            make_settings(redis=f"{valkey},username=worker,password=secret", durable_replicas=0)
        ) as store:
            await store.probe()
            await store.write([user("a", b"", b"1")])
            assert (await store.read(Kind.USER, ["a"]))[0].fence == b"1"
            assert [key async for key in store.keys(Kind.USER)] == ["a"]
            assert await store.remember({"events": "id:4"}) == {"events": "id:4"}
            assert await store.raise_schema(3) == 3
            await store.add_trending(100, {"a": 5})
            assert await store.trending(100, 2, 2) == [("a", 5)]
            await store.wait_until_up()
        await admin.acl_deluser("worker")


async def test_a_server_that_cannot_be_asked_for_its_disk_is_refused_with_the_least_version(tmp_path, make_settings):
    port = free_port()
    with running_valkey(tmp_path, port, "--rename-command", "WAITAOF", ""):
        settings = make_settings(redis=f"{HOST}:{port}")
        async with opened(settings) as store:
            with pytest.raises(StoreRefused, match=r"WAITAOF.*Redis 7\.2 or Valkey 7\.2.*HEADRACE_DURABLE=off"):
                await store.probe()
        async with opened(settings.model_copy(update={"durable": Durable.OFF})) as store:
            await store.probe()
            await store.write([user("a", b"", b"1")])


async def test_a_row_that_is_gone_is_not_taken_for_another_workers(store, valkey):
    await store.write([user("a", b"", b"1"), user("b", b"", b"1")])
    async with configured(valkey) as admin:
        [key] = [key async for key in admin.scan_iter(b"*") if b"\x01\x00\x00\x00a" in key and b"gone" in key]
        await admin.delete(key)
    with pytest.raises(RowsMissing, match="user row of 'a' is gone"):
        await store.write([user("b", b"1", b"2"), user("a", b"1", b"2")])
    with pytest.raises(FencedOut):
        await store.write([user("b", b"0", b"2")])
    assert [row.fence for row in await store.read(Kind.USER, ["a", "b"])] == [b"", b"1"]


async def test_an_absent_row_is_not_believed_to_be_new_when_rows_were_evicted(store, valkey):
    await store.write([user("known", b"", b"1")])
    await store.probe()
    assert len(await store.read(Kind.USER, ["known", "new"])) == 2
    async with configured(valkey, **{"maxmemory-policy": "allkeys-random", "maxmemory": "0"}) as admin:
        await admin.mset({f"filler{n}": "x" * 4_096 for n in range(400)})
        used = (await admin.info("memory"))["used_memory"]
        await admin.config_set("maxmemory", used - 1_000_000)
        while not (await admin.info("stats"))["evicted_keys"]:
            await admin.set("one more", "x")
        await admin.config_set("maxmemory", "0")
        await admin.delete(*[f"filler{n}" for n in range(400)])
        with pytest.raises(RowsMissing, match=r"evicted \d+ rows.*maxmemory-policy noeviction"):
            await store.read(Kind.USER, ["another"])


async def test_a_replica_is_refused_and_a_write_waits_for_as_many_as_are_asked_for(
    tmp_path, valkey, make_settings, monkeypatch
):
    monkeypatch.setattr(durability, "_TIMEOUT_MS", 200)
    async with (
        configured(valkey, **{"repl-diskless-sync-delay": "0"}),
        opened(make_settings(durable_replicas=1)) as store,
    ):
        with pytest.raises(StoreRefused, match="HEADRACE_DURABLE_REPLICAS=1"):
            await store.write([user("a", b"", b"1")])
        port, (host, primary) = free_port(), valkey.split(":")
        with running_valkey(tmp_path, port, "--replicaof", f"{host} {primary}"):
            async with Redis(host=HOST, port=port) as replica:
                while (await replica.info("replication"))["master_link_status"] != "up":
                    pass
                await store.write([user("a", b"", b"1")])  # again, as a worker does
                await store.probe()
                await replica.config_set("replica-read-only", "no")
            async with opened(make_settings(redis=f"{HOST}:{port}")) as follower:
                assert (await follower.read(Kind.USER, ["a"]))[0].fence == b"1"
                with pytest.raises(StoreRefused, match=f"replica .of {valkey}.*HEADRACE_REDIS must name the primary"):
                    await follower.probe()


async def test_a_server_that_was_demoted_is_let_go_of(tmp_path, make_settings):
    """A write is refused on the connection that was there, and goes to whoever answers to the name afterwards."""
    port = free_port()
    with running_valkey(tmp_path, port):
        async with opened(make_settings(redis=f"{HOST}:{port}")) as store, Redis(host=HOST, port=port) as admin:
            await store.write([user("a", b"", b"1")])
            before = {client["id"] for client in await admin.client_list()} - {str(await admin.client_id())}
            await admin.execute_command("REPLICAOF", HOST, str(free_port()))
            with pytest.raises(StoreRefused, match=r"READONLY.*HEADRACE_REDIS must name the primary"):
                await store.write([user("a", b"1", b"2")])
            await store.disconnect_all()
            await admin.execute_command("REPLICAOF", "NO", "ONE")
            await store.write([user("a", b"1", b"2")])
            assert before.isdisjoint({client["id"] for client in await admin.client_list()})
