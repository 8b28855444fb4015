"""A large shop, as full as it gets: its served version, its shoppers' rows, and events, some of unknown items."""

import asyncio
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from benchmarks.race import workload
from benchmarks.race.workload import Size
from feature_repo.basics.fences import Fence, SeenIds
from feature_repo.basics.identity import event_tie, item_hash, packed_hash
from feature_repo.shoppers.recent import RECENT, Recent, RecentEvent
from feature_repo.shoppers.shopper import REMEMBERED, ShopperState, pack
from feature_repo.store.row_store import Kind, RowStore, RowWrite
from headrace.arrays import DEMAND_MODEL, MODEL
from headrace.recording.reading import Record
from headrace.settings.model import Settings
from trainer.publishing.version_folder import whole_folder

NEW_ITEMS: Final = 1_000
"""Of the catalogue, those that the version does not know."""
UNKNOWN_SHARE: Final = 0.05
"""Share of item ids that no catalogue has."""
MS_AN_EVENT: Final = 2_150
"""Of event time: 300,000 events are the week of windows that an item's row keeps, and hours close every few seconds."""
_BLOCK: Final = 2_000
"""Events made at a time: so few that making them delays none."""
_LIKENESSES: Final = 64
_ROWS_AT_ONCE: Final = 500
_OF_ITEMS: Final = ("item_vector", "item_text", "item_bias", "item_prior")
_PAGES: Final = ("home", "search", "category", "item", "cart")


class Shop(NamedTuple):
    """How large it is."""

    shoppers: int
    items: int

    @property
    def size(self) -> Size:
        """As the race's workload takes it."""
        return Size(_BLOCK, self.shoppers, self.items)


def make_large(trained: Path, out: Path, items: int) -> None:
    """Write a folder that publishes like `trained` and knows so many items, less the new ones: each is much like one
    that was trained. What is measured is what a version of that size costs, not how good it is."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(trained / DEMAND_MODEL, out / DEMAND_MODEL)
    random = np.random.default_rng(0)
    known = np.sort(np.array([item_hash(f"item-{n}") for n in range(items - NEW_ITEMS)], np.int64))
    with whole_folder(out / MODEL) as folder, np.load(trained / MODEL / "arrays.npz") as stored:
        arrays: dict[str, Any] = dict(stored)
        like = random.integers(0, len(arrays["item_hash"]), len(known))
        for name in _OF_ITEMS:
            spread = 0.1 * random.standard_normal(arrays[name][like].shape, np.float32)
            arrays[name] = (arrays[name][like] + spread).astype(arrays[name].dtype)
        arrays["item_hash"] = known
        for source in (trained / MODEL).iterdir():
            # Its own answers are those of a smaller version.
            if not source.name.startswith(("reference", "manifest", "arrays")):
                shutil.copyfile(source, folder / source.name)
        np.savez(folder / "arrays.npz", **arrays)


def fill_rows(settings: Settings, shop: Shop, seed: int) -> None:
    """Write every shopper's row as long as it gets: else a soak measures how rows fill, for weeks."""
    asyncio.run(_fill_rows(settings, shop, seed))


async def _fill_rows(settings: Settings, shop: Shop, seed: int) -> None:
    random = Random(seed)
    states = [_full_row(random, shop.items) for _ in range(_LIKENESSES)]
    store = await RowStore.open(settings)
    for at in range(0, shop.shoppers, _ROWS_AT_ONCE):
        rows = range(at, min(at + _ROWS_AT_ONCE, shop.shoppers))
        await store.write(_row(f"shopper-{n}", *random.choice(states)) for n in rows)
    await store.close()


def _row(user_id: str, state: bytes, seen: bytes) -> RowWrite:
    return RowWrite(Kind.USER, user_id, b"", Fence().pack(), seen, (state, None), 0)


def _full_row(random: Random, items: int) -> tuple[bytes, bytes]:
    """A shopper's state, and the event ids that the row remembers."""
    began = workload.START_MS - 30 * 86_400_000
    events = [RecentEvent(began + n * 60_000, 1, f"item-{random.randrange(items)}", 1, 1_000, 1) for n in range(RECENT)]
    hashes = [packed_hash(f"item-{random.randrange(items)}") for _ in range(REMEMBERED)]
    state = ShopperState(recent=Recent.of(events), seen=b"".join(hashes), bought=b"".join(hashes[:64]))
    ids = SeenIds()
    for n in range(1_000):
        ids.add(event_tie(f"before-{n}"))
    return pack(state), ids.pack()


def events(shop: Shop, seed: int) -> Iterator[Record]:
    """Its events without end; after every 2,000 others are the busy shoppers."""
    first = 0
    while True:
        block = workload.events(shop.size, seed, first, MS_AN_EVENT)
        yield from with_unknown_items(block, Random(f"{seed}/{first}"))
        first += _BLOCK


def with_unknown_items(records: Iterable[Record], random: Random) -> Iterator[Record]:
    """The same with ids that nobody knows, and with a context of which one value never comes again."""
    for record in records:
        event = msgspec.json.decode(record.value or b"")
        event["context"] = {"page": random.choice(_PAGES), "visit": f"{random.getrandbits(64):016x}"}
        if "item_id" in event:
            event["item_id"] = _or_unknown_item(event["item_id"], random)
        if "items" in event:
            event["items"] = [_or_unknown_item(item_id, random) for item_id in event["items"]]
        yield record._replace(value=msgspec.json.encode(event))


def _or_unknown_item(item_id: str, random: Random) -> str:
    return f"bot-{random.getrandbits(48):012x}" if random.random() < UNKNOWN_SHARE else item_id
