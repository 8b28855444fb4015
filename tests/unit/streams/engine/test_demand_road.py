"""The items' road keeps what the demand model said as long as it keeps the rows, no longer."""

import msgspec
import numpy as np
import pytest

from feature_repo.actions import ACTION_CODE
from feature_repo.row_store import VIEWS, StoredRow
from streams.engine.demand import DemandRoad
from streams.engine.demand_rows import DemandRow
from streams.engine.predecessor import Predecessor
from streams.engine.row_cache import RowCache
from streams.engine.trending import Trending
from streams.errors import StoreError
from streams.messages.internal import ItemBatch, ItemDelta, Watermark
from streams.messages.wire import DEMAND_SPAN, DemandAnswer
from streams.scenarios import DEMAND
from streams.settings import settings
from streams.transport import RawRecord, RecordChunk

SETTINGS = settings()
ITEMS = 5


class Servers:
    """A store, a model and a producer, as little as the road needs of them."""

    def __init__(self):
        self.rows = {}
        self.asked = 0
        self.refuses = False

    async def read(self, kind, ids):
        return [self._row(kind, key) for key in ids]

    def _row(self, kind, key):
        return self.rows.get(key, StoredRow(b"", b"", (b"",) * len(VIEWS[kind])))

    async def write(self, writes):
        if self.refuses:
            raise StoreError("away")
        for write in writes:
            before = self._row(write.kind, write.key).states
            states = [old if new is None else new for old, new in zip(before, write.states, strict=True)]
            self.rows[write.key] = StoredRow(write.fence, write.seen, tuple(states))

    async def ask(self, _model, tensors, _rows, _kind):
        self.asked += len(tensors.window_start)
        return DemandAnswer(np.ones((len(tensors.window_start), SETTINGS.horizon, 9), np.float32)), "1"

    async def send(self, _outbox):
        pass


class Road:
    """A road of one partition, on which every item sells in every window."""

    def __init__(self):
        self.servers = servers = Servers()
        self.cache: RowCache[DemandRow] = RowCache(100)
        self.road = DemandRoad(
            DEMAND,
            SETTINGS,
            1,
            servers,
            servers,
            servers,
            Predecessor(None),
            Trending(servers, on=False),
            lambda _: (),
            self.cache,
        )
        self.window = 300

    async def next_window(self):
        """Close one window; the rows that the model was asked for."""
        before, at = self.servers.asked, self.window * SETTINGS.window
        sold = [ItemDelta(n, f"{n}", ACTION_CODE["purchase"], at, 1, 100, False) for n in range(ITEMS)]
        entries = [msgspec.structs.replace(delta, offset=self.window * ITEMS + n) for n, delta in enumerate(sold)]
        entries.append(Watermark(0, at + SETTINGS.window + SETTINGS.lateness, False))
        value = msgspec.msgpack.encode(ItemBatch("events/0", 0, entries))
        record = RawRecord("deltas", 0, self.window, at, None, value, ())
        self.window += 1
        await self.road.travel([RecordChunk("deltas", 0, [record])])
        return self.servers.asked - before


@pytest.fixture
async def steady():
    """A road whose items have been judged in some windows."""
    road = Road()
    for _ in range(DEMAND_SPAN):
        await road.next_window()
    return road


async def test_an_item_judged_window_after_window_is_asked_for_once_a_window(steady):
    assert [await steady.next_window() for _ in range(5)] == [ITEMS] * 5


async def test_with_the_rows_goes_what_the_model_said(steady):
    steady.road.forget()
    assert await steady.next_window() == 3 * ITEMS


async def test_a_load_that_fails_leaves_nothing_of_what_the_model_said(steady):
    steady.servers.refuses = True
    with pytest.raises(StoreError):
        await steady.next_window()
    assert steady.cache.take(map(str, range(ITEMS))) == {}
