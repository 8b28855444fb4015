"""Rows of the online store in bulk: one script call to read a batch's rows, one to write them behind their fences."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, cast

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from feature_repo.store.connection import connect, store_errors
from feature_repo.store.durability import Durability
from feature_repo.store.layout import (
    FENCE,
    SEEN,
    VIEWS,
    Kind,
    entity_of,
    feature_field,
    kind_and_key,
    row_key,
    scan_pattern,
    time_field,
    timestamp,
    unwrap,
    wrapping,
)
from feature_repo.store.probe import (
    RESTORE,
    ServerFacts,
    evicted_since,
    lacks_waitaof,
    verify,
    verify_primary,
    without_waitaof,
)
from feature_repo.store.row_script import PERSIST, PROBE, RAISE, READ, WRITE, Change, serialise_changes, serialise_some
from headrace.errors import FencedOut, RowsMissing, StoreError, StoreRefused
from headrace.settings.model import Durable, Settings

__all__ = ["PERSIST", "VIEWS", "Kind", "RowStore", "RowWrite", "SerialisedRows", "StoredRow"]

logger = logging.getLogger(__name__)

_TRENDING_EXPIRES_S: Final = 7 * 86_400
_TRENDING_KEPT: Final = 10_000
"""Items of an hour; the rest, of which little was done with any, is as many as a shop has and more."""
_SCAN_COUNT: Final = 1_000

_ALL_VIEWS: Final = [view for views in VIEWS.values() for view in views]
_NAMES: Final = [name(view) for view in _ALL_VIEWS for name in (feature_field, time_field)]
_NUMBER: Final = {kind: [_ALL_VIEWS.index(view) for view in views] for kind, views in VIEWS.items()}
_READ_NAMES: Final = {kind: [FENCE, SEEN, *map(feature_field, views)] for kind, views in VIEWS.items()}


class StoredRow(NamedTuple):
    """A row as it stands: `states` in the order of `VIEWS[kind]`, empty bytes for what is absent."""

    fence: bytes
    seen: bytes
    states: tuple[bytes, ...]


class RowWrite(NamedTuple):
    """A row as it shall stand.

    Attributes:
        kind, key: which row; a row at most once in a call.
        expected: the fence as it was read.
        fence, seen: the new bookkeeping.
        states: packed states in the order of `VIEWS[kind]`; None leaves a view as it is.
        timestamp: event time in ms of the newest event folded.
        ttl_ms: milliseconds from now until the row goes; 0 leaves it as it is, `PERSIST` keeps a row that was to go.
    """

    kind: Kind
    key: str
    expected: bytes
    fence: bytes
    seen: bytes
    states: tuple[bytes | None, ...]
    timestamp: int
    ttl_ms: int = 0


class SerialisedRows(NamedTuple):
    """Rows as the write script takes them. They hold the bytes, so that what the rows were made of can go.

    Attributes:
        expiring: keys of those that were to go after a while, and may have gone since they were read.
    """

    keys: list[bytes]
    fences: bytes
    written: bytes
    expiring: frozenset[bytes]


class RowStore:
    """The online store of one group. Every method raises StoreError when the server cannot be reached."""

    def __init__(self, client: Redis, address: str, group: str, durability: Durability) -> None:
        self._client = client
        self._address = address
        self._group = group
        self._durability = durability
        self._probed: ServerFacts | None = None

    @classmethod
    async def open(cls, settings: Settings) -> "RowStore":
        """Connect, and find out whether writes can be waited for on disk.

        Raises:
            StoreError: the server does not answer, or `HEADRACE_DURABLE` is on and it keeps no append-only file.
        """
        connection, durability = settings.redis_connection, Durability(replicas=settings.durable_replicas)
        store = cls(connect(connection), connection.address, settings.group, durability)
        if settings.durable is not Durable.OFF:
            try:
                store._durability = durability._replace(on_disk=await store._keeps_a_file(settings.durable))
            except StoreError:
                await store.close()
                raise
        return store

    async def _keeps_a_file(self, durable: Durable) -> bool:
        with store_errors(self._address):
            if (await self._client.info("persistence"))["aof_enabled"]:
                return True
        if durable is Durable.ON:
            raise StoreError(
                "HEADRACE_DURABLE is on, but the online store keeps no append-only file: set `appendonly yes` there."
            )
        logger.warning("The online store keeps no append-only file: its crash may lose features.")
        return False

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def wait_until_up(self) -> None:
        """Return when the server answers again, be it to refuse."""
        pause = 0.1
        while True:
            try:
                with store_errors(self._address):
                    await cast(Awaitable[bool], self._client.ping())
                return
            except StoreRefused:
                return
            except StoreError as error:
                logger.warning("%s", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 5.0)

    async def facts(self) -> ServerFacts:
        """What the server says of itself."""
        with store_errors(self._address):
            return ServerFacts.of(await self._client.info())

    async def probe(self) -> None:
        """Find out whether this server takes rows and keeps them, by one that is written and taken away at once.

        Raises:
            StoreRefused: with what to do about it.
        """
        facts = await self.facts()
        verify(facts, self._address)
        pipeline = self._client.pipeline(transaction=False)
        pipeline.eval(PROBE, 1, row_key(Kind.SHARD, "probe", self._group))
        self._durability.ask(pipeline)
        with store_errors(self._address):
            try:
                _, *answers = await pipeline.execute()
            except ResponseError as error:
                if lacks_waitaof(error):
                    raise without_waitaof(facts, self._address) from error
                raise
        self._durability.verify(answers)
        self._verify_not_evicted(facts)

    async def verify_primary(self) -> None:
        """Find out whether this server is one that others follow.

        Raises:
            StoreRefused: it is a replica.
        """
        verify_primary(await self.facts(), self._address)

    async def disconnect_all(self) -> None:
        """Part with every connection: behind the address may be another server by now."""
        pool = self._client.connection_pool
        await pool.update_active_connections_for_reconnect()
        await pool.disconnect(inuse_connections=False)

    async def read(self, kind: Kind, keys: Sequence[str]) -> list[StoredRow]:
        """The rows of `keys`, in their order.

        Raises:
            RowsMissing: one is absent, and the server has evicted rows since it was probed.
        """
        if not keys:
            return []
        redis_keys = [row_key(kind, key, self._group) for key in keys]
        with store_errors(self._address):
            answer: list[Any] = await cast(
                Awaitable[Any], self._client.eval(READ, len(redis_keys), *redis_keys, *_READ_NAMES[kind])
            )
        *rows, evicted = answer
        if self._probed is not None and evicted > self._probed.evicted:
            await self.verify_evictions()
        return [_stored(row) for row in rows]

    async def verify_evictions(self) -> None:
        """Hold what the server has evicted against what it had when it was probed.

        Raises:
            RowsMissing: it was the same server, and its rows may be among what it has evicted.
        """
        self._verify_not_evicted(await self.facts())

    def _verify_not_evicted(self, now: ServerFacts) -> None:
        before, self._probed = self._probed, now
        if before is not None and (evicted := evicted_since(before, now)):
            raise RowsMissing(
                f"The online store has evicted {evicted} rows for want of memory (maxmemory-policy {now.policy}). Set "
                f"`maxmemory-policy noeviction` there. {RESTORE}"
            )

    def serialise(self, rows: Iterable[RowWrite]) -> SerialisedRows:
        """Rows for `write_serialised`, which takes those of several calls: serialise thousands a few at a time."""
        keys: list[bytes] = []
        changes: list[Change] = []
        for row in rows:
            keys.append(row_key(row.kind, row.key, self._group))
            changes.append(_change(row))
        fences, written = serialise_some(changes)
        expiring = frozenset(key for key, change in zip(keys, changes, strict=True) if change.ttl_ms)
        return SerialisedRows(keys, fences, written, expiring)

    async def write(self, rows: Iterable[RowWrite]) -> None:
        """Serialise rows and write them; see `write_serialised`."""
        await self.write_serialised([self.serialise(rows)])

    async def write_serialised(self, parts: Sequence[SerialisedRows]) -> None:
        """Write all rows, or none when a fence has moved; return when they are on disk, if durable.

        A row that already has its new fence was written by an earlier try and counts as written.

        Args:
            parts: a row at most once in all of them.

        Raises:
            FencedOut: naming the first row that another worker has written, or that has expired, since it was read.
            RowsMissing: naming the first row that is gone since it was read.
            StoreRefused: the rows are written, but not on disk, or not with the replicas that were asked for.
        """
        keys = [key for part in parts for key in part.keys]
        if not keys:
            return
        changes = serialise_changes(*((part.fences, part.written) for part in parts))
        # One pipeline, because WAITAOF and WAIT wait for what their own connection has written.
        pipeline = self._client.pipeline(transaction=False)
        pipeline.eval(WRITE, len(keys), *keys, changes, *_NAMES)
        self._durability.ask(pipeline)
        with store_errors(self._address):
            rejected, *answers = await pipeline.execute()
        if rejected:
            changed = keys[abs(rejected) - 1]
            kind, key = kind_and_key(changed)
            if rejected < 0 and not any(changed in part.expiring for part in parts):
                raise RowsMissing(
                    f"The {kind} row of {key!r} is gone from the online store (evicted, or deleted there). {RESTORE}"
                )
            raise FencedOut(f"The {kind} row of {key!r} has moved on: another worker owns it now, or it has expired.")
        self._durability.verify(answers)

    async def keys(self, kind: Kind) -> AsyncIterator[str]:
        """Every key of a kind, in no order; one that moves while it is read may come twice."""
        pattern = scan_pattern(kind, self._group)
        with store_errors(self._address):
            async for found in self._client.scan_iter(pattern, count=_SCAN_COUNT):
                key = entity_of(kind, found, self._group)
                if key is not None:
                    yield key

    async def remember(self, facts: Mapping[str, str]) -> dict[str, str]:
        """Store what the group's rows were made for, where it is not stored yet; all that is stored (rule 2)."""
        name = f"headrace:{self._group}:topics"
        pipeline = self._client.pipeline(transaction=True)
        for fact, value in facts.items():
            pipeline.hsetnx(name, fact, value)
        pipeline.hgetall(name)
        with store_errors(self._address):
            stored: dict[bytes, bytes] = (await pipeline.execute())[-1]
        return {fact.decode(): value.decode() for fact, value in stored.items()}

    async def withdrawn(self) -> dict[str, int]:
        """Items that were withdrawn in one partition of `items` while another keeps an older record of them, with the
        place of the withdrawal among all appends."""
        with store_errors(self._address):
            stored = await cast(Awaitable[dict[bytes, bytes]], self._client.hgetall(self._withdrawn))
        return {item_id.decode(): int(order) for item_id, order in stored.items()}

    async def note_withdrawn(self, orders: Mapping[str, int], back: Iterable[str]) -> None:
        """Note such withdrawals, and forget those of items that are back."""
        pipeline = self._client.pipeline(transaction=True)
        for item_id, order in orders.items():
            pipeline.hset(self._withdrawn, item_id, str(order))
        for item_id in back:
            pipeline.hdel(self._withdrawn, item_id)
        with store_errors(self._address):
            await pipeline.execute()

    @property
    def _withdrawn(self) -> str:
        return f"headrace:{self._group}:withdrawn"

    async def raise_schema(self, version: int) -> int:
        """Note the version of the group's rows unless a higher one is noted; the one that is noted now."""
        with store_errors(self._address):
            noted = self._client.eval(RAISE, 1, f"headrace:{self._group}:schema", version)
            return int(await cast(Awaitable[int], noted))

    async def add_trending(self, bucket: int, counts: dict[str, int]) -> None:
        """Add to the counts of items in an hour (`bucket`: hours since 1970)."""
        if not counts:
            return
        name = self._trending(bucket)
        pipeline = self._client.pipeline(transaction=True)
        for item_id, count in counts.items():
            pipeline.zincrby(name, count, item_id)
        pipeline.zremrangebyrank(name, 0, -_TRENDING_KEPT - 1)
        pipeline.expire(name, _TRENDING_EXPIRES_S)
        with store_errors(self._address):
            await pipeline.execute()

    async def trending(self, now_bucket: int, buckets: int, top: int) -> list[tuple[str, int]]:
        """The `top` items of the last `buckets` hours, `now_bucket` included, most frequent first."""
        name = f"headrace:{self._group}:trending"
        pipeline = self._client.pipeline(transaction=True)
        # Summed up in the server: a shop's every item would be a long answer.
        pipeline.zunionstore(name, [self._trending(now_bucket - age) for age in range(buckets)])
        pipeline.zrange(name, 0, top - 1, desc=True, withscores=True)
        pipeline.unlink(name)
        with store_errors(self._address):
            found: list[tuple[bytes, float]] = (await pipeline.execute())[1]
        return [(item_id.decode(), int(count)) for item_id, count in found]

    def _trending(self, bucket: int) -> str:
        return f"headrace:{self._group}:trending:{bucket}"


def _stored(row: list[bytes | None]) -> StoredRow:
    fence, seen, *states = row
    return StoredRow(fence or b"", seen or b"", tuple([unwrap(state) if state else b"" for state in states]))


def _change(row: RowWrite) -> Change:
    kind, _, expected, fence, seen, states, time, lasts = row
    fields = [(n, wrapping(len(s)), s) for n, s in zip(_NUMBER[kind], states, strict=True) if s is not None]
    return Change(expected, fence, seen, timestamp(time), fields, lasts)
