"""What shoppers' rows cost in Valkey: bytes by history, and time of a batch's reads and writes by shoppers stored."""

import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Final

import numpy as np
import redis
from msgspec import Struct

from benchmarks.race import workload
from benchmarks.race.workload import Size
from feature_repo.basics.fences import Fence, SeenIds
from feature_repo.basics.identity import event_tie
from feature_repo.shoppers import shopper
from feature_repo.shoppers.shopper import ShopperState
from feature_repo.store.row_store import Kind, RowStore, RowWrite
from headrace.messages.decoding import decode_event
from headrace.messages.events import EventType
from headrace.settings.model import Settings

HISTORIES: Final = (1, 10, 50, 200)
_DISTINCT: Final = 500
"""Shoppers whose rows are made by folding events; many more get copies of these."""
_AT_ONCE: Final = 512
_CHUNKS: Final = 40


class StoreSize(Struct):
    """A shopper's row in Valkey, after so many events.

    Attributes:
        bytes: of memory that Valkey says it needs for one more such shopper, key and bookkeeping included.
        packed: of the packed features alone.
    """

    events: int
    bytes: int
    packed: int


class Stored(Struct):
    """Time of one batch of 512 shoppers at random while so many are stored, median, ms."""

    users: int
    read_ms: float
    write_ms: float
    memory_mb: int


async def bytes_by_history(settings: Settings, seed: int) -> list[StoreSize]:
    """Measure rows of shoppers that differ in nothing but how much they did."""
    client = redis.Redis.from_url(f"redis://{settings.redis_address}")
    store = await RowStore.open(settings)
    found: list[StoreSize] = []
    for events in HISTORIES:
        rows = [_row(f"u-{n}", _state(events, seed, n), events) for n in range(_DISTINCT)]
        _empty(client)
        before = client.info("memory")["used_memory"]
        await store.write(rows)
        used = client.info("memory")["used_memory"] - before
        found.append(
            StoreSize(events, round(used / _DISTINCT), round(median(len(row.states[0] or b"") for row in rows)))
        )
    await store.close()
    return found


async def by_users(settings: Settings, seed: int, sizes: Sequence[int]) -> list[Stored]:
    """Fill the store further and further, each shopper with 50 events, and take batches of shoppers at random."""
    client = redis.Redis.from_url(f"redis://{settings.redis_address}")
    _empty(client)
    store = await RowStore.open(settings)
    patterns = [_row("", _state(50, seed, n), 50) for n in range(_DISTINCT)]
    random = np.random.default_rng(seed)
    found: list[Stored] = []
    filled = 0
    for users in sorted(sizes):
        for at in range(filled, users, _AT_ONCE):
            await store.write(
                [patterns[n % _DISTINCT]._replace(key=f"u-{n}") for n in range(at, min(at + _AT_ONCE, users))]
            )
        filled = users
        reads, writes = [], []
        for keys in _blocks(random, users):
            began = time.perf_counter()
            rows = await store.read(Kind.USER, keys)
            read = time.perf_counter()
            await store.write(
                [
                    patterns[0]._replace(key=key, expected=row.fence, fence=_moved(row.fence))
                    for key, row in zip(keys, rows, strict=True)
                ]
            )
            reads.append(read - began)
            writes.append(time.perf_counter() - read)
        memory = client.info("memory")["used_memory"]
        found.append(
            Stored(users, round(1000 * median(reads), 2), round(1000 * median(writes), 2), round(memory / 2**20))
        )
    await store.close()
    _empty(client)
    return found


def _empty(client: redis.Redis) -> None:
    # Without the word, Valkey frees in the background, and what is measured next is less by what goes meanwhile.
    client.execute_command("FLUSHALL", "SYNC")


def _blocks(random: np.random.Generator, users: int) -> Iterator[list[str]]:
    for _ in range(_CHUNKS):
        yield [f"u-{n}" for n in random.choice(users, _AT_ONCE, replace=False).tolist()]


def _moved(fence: bytes) -> bytes:
    moved = Fence(fence)
    moved.advance("events/0", int(time.perf_counter_ns()))
    return moved.pack()


def _state(events: int, seed: int, shopper_number: int) -> ShopperState:
    """A shopper after the workload's events, as if all were his."""
    state, settings = ShopperState(), Settings()
    # Impressions change nothing but a counter: a history of so many events is one of the others.
    size = Size(events=2 * events + 20, shoppers=1, items=12_000)
    took = 0
    for record in workload.events(size, seed + shopper_number):
        event = decode_event(record.value, appended_ms=record.timestamp, settings=settings)
        if took < events and event.type is not EventType.IMPRESSION:
            shopper.fold(state, event)
            took += 1
    return state


def _row(key: str, state: ShopperState, events: int) -> RowWrite:
    fence, seen = Fence(), SeenIds()
    fence.advance("events/0", events)
    for n in range(events):
        seen.add(event_tie(f"{key}-{n}"))
    return RowWrite(Kind.USER, key, b"", fence.pack(), seen.pack(), (shopper.pack(state), None), max(state.last))
