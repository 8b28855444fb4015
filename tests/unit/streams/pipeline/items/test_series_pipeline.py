"""The item pipeline: what is said of closed windows, whatever it keeps in memory and whatever the store refuses."""

import asyncio
import random
import time

import msgspec
import numpy as np
import pytest

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.items import cold_windows
from feature_repo.items.cold_windows import merged
from feature_repo.items.scopes import SHARDS, SHOP, item_key, scopes_of
from feature_repo.store.row_store import PERSIST, VIEWS, Kind, StoredRow
from headrace.arrays import DEMAND_SPAN, DemandAnswer
from headrace.errors import FencedOut, StoreError
from headrace.messages.internal import ItemImpression, ItemUpdate, ItemUpdateBatch, Watermark
from headrace.settings.model import settings
from streams.kafka.transport import PartitionBatch, RawRecord
from streams.pipeline.emitted import EmittedOutputs
from streams.pipeline.items import cooperative_yield
from streams.pipeline.items.cooperative_yield import CooperativeYield
from streams.pipeline.items.delisted import DelistedRows
from streams.pipeline.items.evaluate import open_series
from streams.pipeline.items.row_access import Row, SeriesRows
from streams.pipeline.items.series import SeriesPipeline, UpdateInputs
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.rows.continuity import Continuity
from streams.scenarios.demand.scenario import DEMAND
from streams.serving.catalogue.trending import Trending

SETTINGS = settings()
ITEMS = 5
SERIES = ITEMS + 1
"""With the shop's own."""


class Servers:
    """A store, a model and a producer, as little as the pipeline needs of them."""

    def __init__(self):
        self.rows = {}
        self.triton = self
        self.requested = 0
        self.refuses = False
        self.refused_item = ""
        self.emitted = []
        self.written = []

    def describe(self, item_id):
        """The catalogue tells of an item."""
        row = self.rows[Kind.ITEM, item_id]
        self.rows[Kind.ITEM, item_id] = row._replace(states=(b"described", *row.states[1:]))

    async def read(self, kind, ids):
        return [self._row(kind, key) for key in ids]

    def _row(self, kind, key):
        return self.rows.get((kind, key), StoredRow(b"", b"", (b"",) * len(VIEWS[kind])))

    def serialise(self, writes):
        return list(writes)

    async def write_serialised(self, parts):
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

    async def infer(self, _model, tensors, _rows, _kind):
        self.requested += len(tensors.window_start)
        return DemandAnswer(np.ones((len(tensors.window_start), SETTINGS.horizon, 9), np.float32)), "1"

    async def ends_for(self, claims):
        return dict.fromkeys(claims, 10**6)

    async def send(self, outbox):
        self.emitted += [(topic, m.key, m.value) for (topic, _), sent in outbox.messages.items() for m in sent]

    def units(self, key, kind=Kind.ITEM):
        return merged(*self.rows[kind, key].states[-2:]).units


class Pipeline:
    """A pipeline on which every item sells in every window."""

    def __init__(self, trending=False):
        self.servers = servers = Servers()
        self.cache: RowCache[Row] = RowCache(100)
        self.trending = Trending(servers, on=trending)
        self.has_waiters = True
        self.catalogue = {str(n) for n in range(ITEMS)}
        self.pipeline = SeriesPipeline(
            open_series([DEMAND], servers, SETTINGS, lambda _: ()),
            SETTINGS,
            UpdateInputs(1, servers, EmittedOutputs(None)),
            SeriesRows(
                servers,
                self.cache,
                Continuity(SETTINGS.group),
                DelistedRows(lambda: 0.0, lambda item_id: item_id in self.catalogue),
                CooperativeYield(lambda: self.has_waiters, time.monotonic),
            ),
            servers,
            self.trending,
        )
        self.window = 300

    async def next_window(self, units=1):
        """Close one window; the rows that the model was asked for."""
        before, at = self.servers.requested, self.window * SETTINGS.window
        sold = [ItemUpdate(n, f"{n}", ACTION_CODE["purchase"], at, units, 100, False) for n in range(ITEMS)]
        sold.append(ItemUpdate(0, SHOP, ACTION_CODE["purchase"], at, units, -1, False, self.window % SHARDS))
        entries = [msgspec.structs.replace(update, offset=self.window * SERIES + n) for n, update in enumerate(sold)]
        entries.append(Watermark(0, at + SETTINGS.window + SETTINGS.lateness, False))
        value = msgspec.msgpack.encode(ItemUpdateBatch("events/0", 0, entries))
        record = RawRecord("deltas", 0, self.window, at, None, value, ())
        self.window += 1
        await self.pipeline.process([PartitionBatch("deltas", 0, [record])])
        return self.servers.requested - before


async def test_a_message_that_no_worker_sent_is_a_dead_letter_and_what_came_with_it_counts():
    pipeline = Pipeline()
    sold = ItemUpdate(7, "a", ACTION_CODE["purchase"], 0, 1, 100, False)
    good = msgspec.msgpack.encode(ItemUpdateBatch("events/0", 0, [sold]))
    forged = msgspec.msgpack.encode(ItemUpdateBatch("events/0", 0, [msgspec.structs.replace(sold, offset=2**62)]))
    values = [b"no batch", forged, good]
    records = [RawRecord("deltas", 0, n, 0, None, value, ()) for n, value in enumerate(values)]
    await pipeline.pipeline.process([PartitionBatch("deltas", 0, records)])
    assert pipeline.servers.units("a") == 1
    assert [(topic, value) for topic, _, value in pipeline.servers.emitted] == [
        ("dead.letters", b"no batch"),
        ("dead.letters", forged),
    ]


@pytest.fixture
async def steady():
    """A pipeline whose items have been judged in some windows."""
    pipeline = Pipeline()
    for _ in range(DEMAND_SPAN):
        await pipeline.next_window()
    return pipeline


async def test_an_item_judged_window_after_window_is_asked_for_once_a_window(steady):
    assert [await steady.next_window() for _ in range(5)] == [SERIES] * 5


async def test_with_the_rows_goes_what_the_model_said(steady):
    steady.pipeline.invalidate()
    assert await steady.next_window() == 3 * SERIES


async def test_a_load_that_fails_leaves_nothing_of_what_the_model_said(steady):
    steady.servers.refuses = True
    with pytest.raises(StoreError):
        await steady.next_window()
    assert steady.cache.take(map(str, range(ITEMS))) == {}


@pytest.mark.parametrize("has_waiters", [True, False])
async def test_shoppers_who_wait_in_the_same_process_have_time_between_two_yields(has_waiters, monkeypatch):
    pauses, turn = [], asyncio.sleep

    async def sleep(seconds):
        pauses.append(seconds)
        await turn(0)

    monkeypatch.setattr(cooperative_yield, "_WORK_S", 0.0)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    pipeline = Pipeline()
    pipeline.has_waiters = has_waiters
    await pipeline.next_window()
    assert pauses
    assert [seconds > 0 for seconds in pauses] == [has_waiters] * len(pauses)


async def emitted_in_a_surge(forgets):
    """All that is said in seventy windows, in the sixtieth of which everything sells as never before."""
    pipeline, order = Pipeline(), random.Random(3)
    for n in range(70):
        await pipeline.next_window(units=90 if n == 60 else 1 + n % 3)
        if forgets and order.random() < 0.4:
            pipeline.pipeline.invalidate()
    return pipeline.servers.emitted


async def test_windows_that_were_set_aside_count_as_all_others(monkeypatch):
    emitted = await emitted_in_a_surge(forgets=True)
    assert any(topic == "demand.alerts" for topic, _, _ in emitted)
    monkeypatch.setattr(cold_windows, "_MAX_WINDOWS", 1_000)
    assert await emitted_in_a_surge(forgets=False) == emitted


async def test_of_two_partitions_one_may_be_written_and_the_other_refused_and_all_counts_once():
    pipeline = Pipeline(trending=True)
    batches = []
    for partition, item_id in enumerate(("tea", "cup")):
        update = ItemUpdate(partition, item_id, ACTION_CODE["purchase"], now := 300 * SETTINGS.window, 2, 100, False)
        value = msgspec.msgpack.encode(ItemUpdateBatch("events/0", 0, [update]))
        batches.append(PartitionBatch("deltas", partition, [RawRecord("deltas", partition, 0, now, None, value, ())]))
    pipeline.servers.refused_item = "cup"
    with pytest.raises(FencedOut):
        await pipeline.pipeline.process(batches)
    assert pipeline.servers.units("tea") == 2
    assert (Kind.ITEM, "cup") not in pipeline.servers.rows
    pipeline.pipeline.invalidate()
    await pipeline.pipeline.process(batches)
    assert [pipeline.servers.units(item_id) for item_id in ("tea", "cup")] == [2, 2]
    assert pipeline.trending._counted == {"tea": 5, "cup": 5}


@pytest.mark.parametrize("odd", [SHOP, scopes_of(["tea"])[1], "\x1f" + SHOP])
async def test_an_item_whose_id_reads_like_a_scope_is_an_item(odd):
    pipeline = Pipeline(trending=True)
    pipeline.catalogue |= {odd}
    at, purchase = 300 * SETTINGS.window, ACTION_CODE["purchase"]
    entries = [
        ItemUpdate(0, odd, purchase, at, 2, 100, False),
        ItemUpdate(1, SHOP, purchase, at, 7, -1, False, 3),
        ItemImpression(2, at, [odd, "tea"]),
        Watermark(3, at + SETTINGS.window + SETTINGS.lateness, False),
    ]
    value = msgspec.msgpack.encode(ItemUpdateBatch("events/0", 0, entries))
    await pipeline.pipeline.process([PartitionBatch("deltas", 0, [RawRecord("deltas", 0, 0, at, None, value, ())])])
    assert pipeline.servers.units(odd) == 2
    assert pipeline.servers.units(SHOP, Kind.SHARD) == 7
    assert pipeline.trending._counted == {odd: 5}
    assert pipeline.cache.take([item_key(odd)])
    sent = [
        msgspec.json.decode(value)["item_id"]
        for topic, _, value in pipeline.servers.emitted
        if topic == "demand.forecasts"
    ]
    assert sent == [odd]


async def test_rows_of_ids_that_no_catalogue_has_are_to_go_and_are_not_kept_in_memory(steady):
    assert {row.ttl_ms for row in steady.servers.written if row.kind is Kind.ITEM} == {PERSIST}
    steady.catalogue = {"2"}
    steady.servers.written.clear()
    steady.servers.describe("1")
    steady.pipeline.invalidate()
    await steady.next_window()
    lasts = {row.key: row.ttl_ms for row in steady.servers.written if row.kind is Kind.ITEM}
    assert (lasts.pop("1"), lasts.pop("2")) == (0, PERSIST)
    assert set(lasts) == {"0", "3", "4"}
    assert min(lasts.values()) >= 600_000
    assert set(steady.cache.take(f"{n}" for n in range(ITEMS))) == {"1", "2"}
    assert all(row.ttl_ms == 0 for row in steady.servers.written if row.kind is not Kind.ITEM)


async def test_a_window_closes_of_an_item_whose_row_has_gone(steady):
    steady.catalogue = set()
    steady.servers.rows.pop((Kind.ITEM, "3"))
    steady.pipeline.invalidate()
    await steady.next_window()
    assert steady.servers.units("3") == 1
    assert steady.servers.units("2") == DEMAND_SPAN + 1
