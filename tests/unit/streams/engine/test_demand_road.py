"""The items' road: what is said of closed windows, whatever it keeps in memory and whatever the store refuses."""

import asyncio
import random
import time

import msgspec
import numpy as np
import pytest

from feature_repo import item_windows
from feature_repo.actions import ACTION_CODE
from feature_repo.item_windows import joined
from feature_repo.row_store import FOR_GOOD, VIEWS, Kind, StoredRow
from feature_repo.scopes import SHARDS, SHOP, item_key, scopes_of
from streams.engine import stints
from streams.engine.continuity import Continuity
from streams.engine.demand import DemandRoad
from streams.engine.demand_rows import DemandRow
from streams.engine.predecessor import Predecessor
from streams.engine.row_cache import RowCache
from streams.engine.stints import Stints
from streams.engine.trending import Trending
from streams.engine.unlisted import Unlisted
from streams.errors import FencedOut, StoreError
from streams.messages.internal import ItemBatch, ItemDelta, Shown, Watermark
from streams.messages.wire import DEMAND_SPAN, DemandAnswer
from streams.scenarios import DEMAND
from streams.settings import settings
from streams.transport import RawRecord, RecordChunk

SETTINGS = settings()
ITEMS = 5
SERIES = ITEMS + 1
"""With the shop's own."""


class Servers:
    """A store, a model and a producer, as little as the road needs of them."""

    def __init__(self):
        self.rows = {}
        self.asked = 0
        self.refuses = False
        self.refused_item = ""
        self.said = []
        self.written = []

    def describe(self, item_id):
        """The catalogue tells of an item."""
        row = self.rows[Kind.ITEM, item_id]
        self.rows[Kind.ITEM, item_id] = row._replace(states=(b"described", *row.states[1:]))

    async def read(self, kind, ids):
        return [self._row(kind, key) for key in ids]

    def _row(self, kind, key):
        return self.rows.get((kind, key), StoredRow(b"", b"", (b"",) * len(VIEWS[kind])))

    def pack(self, writes):
        return list(writes)

    async def write_packed(self, parts):
        writes = [write for part in parts for write in part]
        if self.refuses:
            raise StoreError("away")
        if any(write.key == self.refused_item for write in writes):
            self.refused_item = ""
            raise FencedOut("moved on")
        self.written += writes
        for write in writes:
            before = self._row(write.kind, write.key).states
            states = [old if new is None else new for old, new in zip(before, write.states, strict=True)]
            self.rows[write.kind, write.key] = StoredRow(write.fence, write.seen, tuple(states))

    async def ask(self, _model, tensors, _rows, _kind):
        self.asked += len(tensors.window_start)
        return DemandAnswer(np.ones((len(tensors.window_start), SETTINGS.horizon, 9), np.float32)), "1"

    async def reaching(self, claims):
        return dict.fromkeys(claims, 10**6)

    async def send(self, outbox):
        self.said += [(topic, m.key, m.value) for (topic, _), told in outbox.messages.items() for m in told]

    def units(self, key, kind=Kind.ITEM):
        return joined(*self.rows[kind, key].states[-2:]).units


class Road:
    """A road on which every item sells in every window."""

    def __init__(self, trending=False):
        self.servers = servers = Servers()
        self.cache: RowCache[DemandRow] = RowCache(100)
        self.trending = Trending(servers, on=trending)
        self.others_wait = True
        self.catalogue = {str(n) for n in range(ITEMS)}
        self.road = DemandRoad(
            DEMAND,
            SETTINGS,
            1,
            servers,
            servers,
            servers,
            Predecessor(None),
            self.trending,
            lambda _: (),
            self.cache,
            Stints(lambda: self.others_wait, time.monotonic),
            Unlisted(lambda: 0.0, lambda item_id: item_id in self.catalogue),
            servers,
            Continuity(SETTINGS.group),
        )
        self.window = 300

    async def next_window(self, units=1):
        """Close one window; the rows that the model was asked for."""
        before, at = self.servers.asked, self.window * SETTINGS.window
        sold = [ItemDelta(n, f"{n}", ACTION_CODE["purchase"], at, units, 100, False) for n in range(ITEMS)]
        sold.append(ItemDelta(0, SHOP, ACTION_CODE["purchase"], at, units, -1, False, self.window % SHARDS))
        entries = [msgspec.structs.replace(delta, offset=self.window * SERIES + n) for n, delta in enumerate(sold)]
        entries.append(Watermark(0, at + SETTINGS.window + SETTINGS.lateness, False))
        value = msgspec.msgpack.encode(ItemBatch("events/0", 0, entries))
        record = RawRecord("deltas", 0, self.window, at, None, value, ())
        self.window += 1
        await self.road.travel([RecordChunk("deltas", 0, [record])])
        return self.servers.asked - before


async def test_a_message_that_no_worker_sent_is_a_dead_letter_and_what_came_with_it_counts():
    road = Road()
    sold = ItemDelta(7, "a", ACTION_CODE["purchase"], 0, 1, 100, False)
    good = msgspec.msgpack.encode(ItemBatch("events/0", 0, [sold]))
    forged = msgspec.msgpack.encode(ItemBatch("events/0", 0, [msgspec.structs.replace(sold, offset=2**62)]))
    values = [b"no batch", forged, good]
    records = [RawRecord("deltas", 0, n, 0, None, value, ()) for n, value in enumerate(values)]
    await road.road.travel([RecordChunk("deltas", 0, records)])
    assert road.servers.units("a") == 1
    assert [(topic, value) for topic, _, value in road.servers.said] == [
        ("dead.letters", b"no batch"),
        ("dead.letters", forged),
    ]


@pytest.fixture
async def steady():
    """A road whose items have been judged in some windows."""
    road = Road()
    for _ in range(DEMAND_SPAN):
        await road.next_window()
    return road


async def test_an_item_judged_window_after_window_is_asked_for_once_a_window(steady):
    assert [await steady.next_window() for _ in range(5)] == [SERIES] * 5


async def test_with_the_rows_goes_what_the_model_said(steady):
    steady.road.forget()
    assert await steady.next_window() == 3 * SERIES


async def test_a_load_that_fails_leaves_nothing_of_what_the_model_said(steady):
    steady.servers.refuses = True
    with pytest.raises(StoreError):
        await steady.next_window()
    assert steady.cache.take(map(str, range(ITEMS))) == {}


@pytest.mark.parametrize("others_wait", [True, False])
async def test_shoppers_who_wait_in_the_same_process_have_time_between_two_stints(others_wait, monkeypatch):
    pauses, turn = [], asyncio.sleep

    async def sleep(seconds):
        pauses.append(seconds)
        await turn(0)

    monkeypatch.setattr(stints, "_STINT_S", 0.0)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    road = Road()
    road.others_wait = others_wait
    await road.next_window()
    assert pauses
    assert [seconds > 0 for seconds in pauses] == [others_wait] * len(pauses)


async def said_of_a_surge(forgets):
    """All that is said in seventy windows, in the sixtieth of which everything sells as never before."""
    road, order = Road(), random.Random(3)
    for n in range(70):
        await road.next_window(units=90 if n == 60 else 1 + n % 3)
        if forgets and order.random() < 0.4:
            road.road.forget()
    return road.servers.said


async def test_windows_that_were_set_aside_count_as_all_others(monkeypatch):
    said = await said_of_a_surge(forgets=True)
    assert any(topic == "demand.alerts" for topic, _, _ in said)
    monkeypatch.setattr(item_windows, "_MOST", 1_000)
    assert await said_of_a_surge(forgets=False) == said


async def test_of_two_partitions_one_may_be_written_and_the_other_refused_and_all_counts_once():
    road = Road(trending=True)
    chunks = []
    for partition, item_id in enumerate(("tea", "cup")):
        delta = ItemDelta(partition, item_id, ACTION_CODE["purchase"], now := 300 * SETTINGS.window, 2, 100, False)
        value = msgspec.msgpack.encode(ItemBatch("events/0", 0, [delta]))
        chunks.append(RecordChunk("deltas", partition, [RawRecord("deltas", partition, 0, now, None, value, ())]))
    road.servers.refused_item = "cup"
    with pytest.raises(FencedOut):
        await road.road.travel(chunks)
    assert road.servers.units("tea") == 2
    assert (Kind.ITEM, "cup") not in road.servers.rows
    road.road.forget()
    await road.road.travel(chunks)
    assert [road.servers.units(item_id) for item_id in ("tea", "cup")] == [2, 2]
    assert road.trending._counted == {"tea": 5, "cup": 5}


@pytest.mark.parametrize("odd", [SHOP, scopes_of(["tea"])[1], "\x1f" + SHOP])
async def test_an_item_whose_id_reads_like_a_scope_is_an_item(odd):
    road = Road(trending=True)
    road.catalogue |= {odd}
    at, purchase = 300 * SETTINGS.window, ACTION_CODE["purchase"]
    entries = [
        ItemDelta(0, odd, purchase, at, 2, 100, False),
        ItemDelta(1, SHOP, purchase, at, 7, -1, False, 3),
        Shown(2, at, [odd, "tea"]),
        Watermark(3, at + SETTINGS.window + SETTINGS.lateness, False),
    ]
    value = msgspec.msgpack.encode(ItemBatch("events/0", 0, entries))
    await road.road.travel([RecordChunk("deltas", 0, [RawRecord("deltas", 0, 0, at, None, value, ())])])
    assert road.servers.units(odd) == 2
    assert road.servers.units(SHOP, Kind.SHARD) == 7
    assert road.trending._counted == {odd: 5}
    assert road.cache.take([item_key(odd)])
    told = [
        msgspec.json.decode(value)["item_id"] for topic, _, value in road.servers.said if topic == "demand.forecasts"
    ]
    assert told == [odd]


async def test_rows_of_ids_that_no_catalogue_has_are_to_go_and_are_not_kept_in_memory(steady):
    assert {row.lasts for row in steady.servers.written if row.kind is Kind.ITEM} == {FOR_GOOD}
    steady.catalogue = {"2"}
    steady.servers.written.clear()
    steady.servers.describe("1")
    steady.road.forget()
    await steady.next_window()
    lasts = {row.key: row.lasts for row in steady.servers.written if row.kind is Kind.ITEM}
    assert (lasts.pop("1"), lasts.pop("2")) == (0, FOR_GOOD)
    assert set(lasts) == {"0", "3", "4"}
    assert min(lasts.values()) >= 600_000
    assert set(steady.cache.take(f"{n}" for n in range(ITEMS))) == {"1", "2"}
    assert all(row.lasts == 0 for row in steady.servers.written if row.kind is not Kind.ITEM)


async def test_a_window_closes_of_an_item_whose_row_has_gone(steady):
    steady.catalogue = set()
    steady.servers.rows.pop((Kind.ITEM, "3"))
    steady.road.forget()
    await steady.next_window()
    assert steady.servers.units("3") == 1
    assert steady.servers.units("2") == DEMAND_SPAN + 1
