"""A worker's parts, wired together: what the Faust agents hand their chunks to."""

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable

from aiokafka.errors import KafkaError

from feature_repo.row_store import RowStore
from streams.engine import metrics, sources
from streams.engine.catalogue_follower import CatalogueFollower
from streams.engine.demand import DemandRoad, DemandRow
from streams.engine.idleness import Idleness
from streams.engine.item_rows import ItemRowsRoad
from streams.engine.new_items import NewItems
from streams.engine.outbox import Producer, is_passing
from streams.engine.row_cache import RowCache
from streams.engine.scoring import Scorer
from streams.engine.shoppers import Collaborators, ShoppersRoad
from streams.engine.trending import Trending
from streams.engine.triton import Triton
from streams.errors import FencedOut, StoreError
from streams.scenarios import DEMAND, SHOPPER_SCENARIOS
from streams.settings import Settings
from streams.topics import INPUTS, Topic, item_deltas, rekeyed
from streams.transport import RecordChunk

logger = logging.getLogger(__name__)

_FENCED_TRIES = 20
_GC_THRESHOLDS = (100_000, 20, 20)
"""A chunk makes some hundred thousand lists and tuples, and no cycle: Python would look for one after every 700."""
_ITEM_ROWS_KEPT = 32_768
"""Items whose rows stay in memory, about a kilobyte each."""
_PAUSE_S = 1.0
"""A store that answers and yet refuses (no memory, read only) would else be asked, and all answers sent, in a loop."""


class Runtime:
    """All that a worker holds open. Chunks come one at a time for each of the two agents."""

    def __init__(
        self,
        store: RowStore,
        triton: Triton,
        producer: Producer,
        follower: CatalogueFollower,
        roads: tuple[ShoppersRoad, ItemRowsRoad, DemandRoad],
        idleness: Idleness,
    ) -> None:
        self._store = store
        self._triton = triton
        self._producer = producer
        self._follower = follower
        self._shoppers, self._item_rows, self._demand = roads
        self._idleness = idleness

    @classmethod
    async def open(cls, settings: Settings, partitions: int) -> "Runtime":
        """Connect everything, read the catalogue, hold the topics against what the store remembers.

        Raises:
            TopicChanged, StreamError, StoreError: with what to do about it.
        """
        store = await RowStore.open(settings)
        inputs = [*sorted(INPUTS), rekeyed(settings.group), item_deltas(settings.group)]
        await sources.hold_against_store(settings, inputs, store)
        triton, producer = Triton(settings), await Producer.open(settings)
        follower = await CatalogueFollower.open(settings, partitions)
        new_items = NewItems(follower.catalogue, store, triton)
        trending = Trending(store, on=settings.trending)
        scorer = Scorer(triton, follower.catalogue, new_items, trending)
        with_ = Collaborators(settings, partitions, store, scorer, follower, producer)
        item_rows: RowCache[DemandRow] = RowCache(_ITEM_ROWS_KEPT)
        roads = (
            ShoppersRoad(SHOPPER_SCENARIOS, with_),
            ItemRowsRoad(settings, partitions, store, producer, new_items, item_rows),
            DemandRoad(
                DEMAND,
                settings,
                partitions,
                store,
                triton,
                producer,
                trending,
                follower.catalogue.categories,
                item_rows,
            ),
        )
        metrics.serve(settings.metrics_port)
        gc.collect()
        gc.freeze()  # what is loaded by now stays: later collections need not walk it
        gc.set_threshold(*_GC_THRESHOLDS)
        idleness = Idleness(settings, partitions, store, producer, time.monotonic)
        return cls(store, triton, producer, follower, roads, idleness)

    async def shoppers(self, chunk: RecordChunk) -> None:
        """Take a chunk of `events`, the rekeyed topic or `score.requests` down its road."""
        self._idleness.busy(chunk)
        await self._until_done(self._shoppers.travel, chunk)

    async def items(self, chunk: RecordChunk) -> None:
        """Take a chunk of `items` or of the item deltas down its road."""
        road = self._item_rows if chunk.topic == Topic.ITEMS else self._demand
        await self._until_done(road.travel, chunk)

    async def idle(self, partitions: frozenset[int]) -> None:
        """Hear which `events` partitions of this worker have nothing to read."""
        try:
            await self._idleness.at_zero_lag(partitions)
        except StoreError as error:
            logger.warning("idle partitions are told of later: %s", error)

    def revoked(self) -> None:
        """Forget what was known of partitions that may now be another worker's."""
        self._idleness.forget()

    async def close(self) -> None:
        """Disconnect, the producer first so that it flushes."""
        await self._producer.close()
        await self._follower.close()
        await self._triton.close()
        await self._store.close()

    async def _until_done(self, travel: Callable[[RecordChunk], Awaitable[None]], chunk: RecordChunk) -> None:
        """Travel until nothing intervenes. Travelling twice is harmless: fences skip what is done, ids are equal.

        Raises:
            FencedOut: the rows stay another worker's; this one has lost its partitions without hearing of it.
        """
        fenced = 0
        while True:
            try:
                return await travel(chunk)
            except FencedOut as error:
                fenced += 1
                logger.info("%s/%d: %s", chunk.topic, chunk.partition, error)
                if fenced == _FENCED_TRIES:
                    raise
            except StoreError as error:
                logger.warning("waiting for the online store: %s", error)
                await asyncio.sleep(_PAUSE_S)
                await self._store.wait_until_up()
            except KafkaError as error:
                if not is_passing(error):
                    raise
                logger.warning("waiting for Kafka: %r", error)
                await asyncio.sleep(_PAUSE_S)
