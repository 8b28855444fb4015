"""A worker's parts, wired together: what the Faust agents hand their chunks to."""

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Mapping

from aiokafka.errors import KafkaError

from feature_repo import schema
from feature_repo.row_store import RowStore
from streams.copartition import Prepared
from streams.engine import logbook, sources
from streams.engine.catalogue_follower import CatalogueFollower
from streams.engine.continuity import Continuity
from streams.engine.demand import DemandRoad
from streams.engine.demand_rows import DemandRow
from streams.engine.idleness import Idleness
from streams.engine.item_rows import ItemRowsRoad
from streams.engine.items import ItemsRoad
from streams.engine.new_items import NewItems
from streams.engine.origins import LogEnds
from streams.engine.outbox import Producer, is_passing
from streams.engine.poison import Poisoned
from streams.engine.predecessor import Predecessor
from streams.engine.row_cache import RowCache
from streams.engine.scoring import Scorer
from streams.engine.shoppers import Collaborators, ShoppersRoad
from streams.engine.stints import Stints
from streams.engine.store_watch import StoreWatch
from streams.engine.tracing import Tracer, open_tracer
from streams.engine.trending import Trending
from streams.engine.triton import Triton
from streams.engine.unlisted import Unlisted
from streams.errors import FencedOut, RowsLost, StoreError
from streams.scenarios import DEMAND, SHOPPER_SCENARIOS
from streams.settings import Settings
from streams.topics import INPUTS, item_deltas, rekeyed

logger = logging.getLogger(__name__)

_FENCED_TRIES = 20
_GC_THRESHOLDS = (100_000, 20, 20)
"""A load makes some hundred thousand lists and tuples, and no cycle: Python would look for one after every 700."""
_SWITCH_S = 0.0005
"""How long the thread that reads from Kafka waits for Python while loads are worked on: the usual 5 ms are as long as a
small load takes."""
_ITEM_ROWS_KEPT = 131_072
"""Items whose rows stay in memory, one to two kilobytes each. Where more sell in a window, every row of every window
is read anew: for 100,000 that was a quarter of the items' road."""
_PAUSE_S = 1.0


class Runtime:
    """All that a worker holds open, and what it does when something of it fails."""

    def __init__(
        self,
        store: RowStore,
        triton: Triton,
        producer: Producer,
        follower: CatalogueFollower,
        roads: tuple[ShoppersRoad, ItemsRoad],
        idleness: Idleness,
        predecessor: Predecessor,
        tracer: Tracer,
        ends: LogEnds,
        watch: StoreWatch,
    ) -> None:
        self._ends = ends
        self._store = store
        self._watch = watch
        self._predecessor = predecessor
        self._triton = triton
        self._producer = producer
        self._follower = follower
        self.shoppers, self.items = roads
        self._idleness = idleness
        self._tracer = tracer

    @classmethod
    async def open(cls, settings: Settings, prepared: Prepared) -> "Runtime":
        """Connect everything, read the catalogue, hold the topics against what the store remembers.

        Raises:
            TopicChanged, StreamError, StoreError, RowsLost: with what to do about it.
        """
        partitions = prepared.partitions
        store, continuity = await RowStore.open(settings), Continuity(settings.group)
        watch = StoreWatch(store, continuity, settings.group, time.monotonic)
        await watch.open()
        await schema.hold_against(store)
        inputs = [*sorted(INPUTS), rekeyed(settings.group), item_deltas(settings.group)]
        await sources.hold_against_store(settings, inputs, store)
        predecessor = await Predecessor.open(settings)
        triton, producer = Triton(settings), await Producer.open(settings, prepared.outputs)
        await store.note_withdrawn(await predecessor.withdrawn(), back=())
        follower = await CatalogueFollower.open(settings, partitions, await store.withdrawn())
        new_items = NewItems(follower.catalogue, store, triton)
        on = settings.trending and not settings.catching_up
        trending = Trending(store, on=on, counts=follower.catalogue.may_have)
        categories = settings.holds_to_categories
        scorer = Scorer(triton, follower.catalogue, new_items, trending, categories=categories)
        tracer = open_tracer(settings)
        idleness = Idleness(settings, partitions, store, producer, time.monotonic)
        ends = await LogEnds.open(settings)
        with_ = Collaborators(
            settings,
            partitions,
            store,
            scorer,
            follower,
            producer,
            predecessor,
            idleness,
            tracer,
            ends,
            continuity,
        )
        item_rows: RowCache[DemandRow] = RowCache(_ITEM_ROWS_KEPT)
        item_rows_road = ItemRowsRoad(settings, partitions, store, producer, new_items, item_rows, continuity)
        shoppers = ShoppersRoad(SHOPPER_SCENARIOS, with_)
        demand = DemandRoad(
            DEMAND,
            settings,
            partitions,
            store,
            triton,
            producer,
            predecessor,
            trending,
            follower.catalogue.categories,
            item_rows,
            Stints(shoppers.is_waited_for, time.monotonic),
            Unlisted(time.monotonic, follower.catalogue.may_have),
            ends,
            continuity,
        )
        roads = shoppers, ItemsRoad(item_rows_road, demand, follower, trending)
        gc.collect()
        gc.freeze()  # what is loaded by now stays: later collections need not walk it
        gc.set_threshold(*_GC_THRESHOLDS)
        sys.setswitchinterval(_SWITCH_S)
        return cls(store, triton, producer, follower, roads, idleness, predecessor, tracer, ends, watch)

    def quiet(self, partitions: frozenset[int]) -> frozenset[int]:
        """Hear which `events` partitions of this worker have nothing to read; return those to be told idle."""
        return self._idleness.at_zero_lag(partitions)

    async def idle(self, partitions: frozenset[int]) -> None:
        """Tell the items' road that these partitions hold nothing back."""
        try:
            await self._idleness.tell(partitions)
        except RowsLost as lost:
            await self._watch.wait_if_not_lost(lost, failures=1)
        except StoreError as error:
            logger.warning("idle partitions are told of later: %s", error)

    def revoked(self) -> None:
        """Forget what was known of partitions that may now be another worker's."""
        self._idleness.forget()
        self.shoppers.forget()
        self.items.forget()

    async def take(self, folded: Mapping[tuple[str, int], int]) -> None:
        """Begin with partitions, of each the last record that the group has noted as folded, -1 if none.

        Raises:
            RowsLost: the store has lost some of it.
        """
        await self._watch.take(folded)

    async def look_after_store(self) -> None:
        """See whether the store has lost rows that nothing asks for now.

        Raises:
            RowsLost: it has.
        """
        await self._watch.look()

    async def mend(self, error: Exception, failures: int) -> None:
        """Wait until travelling again is worth it. Twice is harmless: fences skip what is done, ids are equal.

        Raises:
            FencedOut: the rows stay another worker's; this one has lost its partitions without hearing of it.
            RowsLost: the store has lost rows; StoreRefused: it has refused for too long.
            HeadraceError, Exception: what waiting cannot mend.
        """
        if isinstance(error, Poisoned):
            logbook.poisoned(error)
        elif isinstance(error, FencedOut):
            logger.info("%s", error, extra={"reason": "fenced_out"})
            if failures >= _FENCED_TRIES:
                raise error
        elif isinstance(error, StoreError):
            await self._watch.wait(error, failures)
        elif isinstance(error, RowsLost):
            await self._watch.wait_if_not_lost(error, failures)
        elif isinstance(error, KafkaError) and is_passing(error):
            logger.warning("waiting for Kafka: %r", error)
            await asyncio.sleep(_PAUSE_S)
        else:
            raise error

    async def close(self) -> None:
        """Disconnect, the producer first so that it flushes."""
        await self._producer.close()
        await self._follower.close()
        await self._ends.close()
        await self._triton.close()
        await self._predecessor.close()
        await self._store.close()
        await asyncio.to_thread(self._tracer.close)
