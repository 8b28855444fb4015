"""A worker's parts, wired together: what the Faust agents hand their batches to."""

import asyncio
import gc
import logging
import sys
import time
from collections.abc import Mapping

from aiokafka.errors import KafkaError

from feature_repo.basics import schema
from feature_repo.store.row_store import RowStore
from headrace.errors import FencedOut, RowsLost, StoreError
from headrace.settings.model import Settings
from headrace.topics import INPUTS, item_updates, rekeyed
from streams.kafka.admin.copartition import Prepared
from streams.pipeline import batch_log
from streams.pipeline.emit import Producer, is_transient
from streams.pipeline.emitted import EmittedOutputs
from streams.pipeline.items.catalogue_rows import CatalogueRowsPipeline
from streams.pipeline.items.cooperative_yield import CooperativeYield
from streams.pipeline.items.delisted import DelistedRows
from streams.pipeline.items.pipeline import ItemPipeline
from streams.pipeline.items.series import SeriesPipeline
from streams.pipeline.items.series_rows import DemandRow
from streams.pipeline.log_ends import LogEnds
from streams.pipeline.poison import PoisonRecord
from streams.pipeline.rows import sources
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.rows.continuity import Continuity
from streams.pipeline.rows.store_watch import StoreWatch
from streams.pipeline.shoppers.idleness import Idleness
from streams.pipeline.shoppers.pipeline import PipelineContext, ShopperPipeline
from streams.pipeline.shoppers.tracing import Tracer, open_tracer
from streams.scenarios import DEMAND, SHOPPER_SCENARIOS
from streams.serving.catalogue.follower import CatalogueFollower
from streams.serving.catalogue.new_items import NewItems
from streams.serving.catalogue.trending import Trending
from streams.serving.shopper_scorer.scorer import Scorer
from streams.serving.triton.client import Triton

logger = logging.getLogger(__name__)

_FENCED_TRIES = 20
_GC_THRESHOLDS = (100_000, 20, 20)
"""A batch makes some hundred thousand lists and tuples, and no cycle: Python would look for one after every 700."""
_SWITCH_S = 0.0005
"""How long the thread that reads from Kafka waits for Python while batches are worked on: the usual 5 ms are as long as
a small batch takes."""
_CACHED_ITEM_ROWS = 131_072
"""Items whose rows stay in memory, one to two kilobytes each. Where more sell in a window, every row of every window
is read anew: for 100,000 that was a quarter of the item pipeline."""
_PAUSE_S = 1.0


class Runtime:
    """All that a worker holds open, and what it does when something of it fails."""

    def __init__(
        self,
        store: RowStore,
        triton: Triton,
        producer: Producer,
        follower: CatalogueFollower,
        pipelines: tuple[ShopperPipeline, ItemPipeline],
        idleness: Idleness,
        emitted_outputs: EmittedOutputs,
        tracer: Tracer,
        ends: LogEnds,
        watch: StoreWatch,
    ) -> None:
        self._ends = ends
        self._store = store
        self._watch = watch
        self._emitted_outputs = emitted_outputs
        self._triton = triton
        self._producer = producer
        self._follower = follower
        self.shoppers, self.items = pipelines
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
        await schema.verify(store)
        inputs = [*sorted(INPUTS), rekeyed(settings.group), item_updates(settings.group)]
        await sources.verify_store(settings, inputs, store)
        emitted_outputs = await EmittedOutputs.open(settings)
        triton, producer = Triton(settings), await Producer.open(settings, prepared.outputs)
        await store.note_withdrawn(await emitted_outputs.withdrawn(), back=())
        follower = await CatalogueFollower.open(settings, partitions, await store.withdrawn())
        new_items = NewItems(follower.catalogue, store, triton)
        on = settings.trending and not settings.catching_up
        trending = Trending(store, on=on, counts=follower.catalogue.may_contain)
        categories = settings.holds_to_categories
        scorer = Scorer(triton, follower.catalogue, new_items, trending, categories=categories)
        tracer = open_tracer(settings)
        idleness = Idleness(settings, partitions, store, producer, time.monotonic)
        ends = await LogEnds.open(settings)
        context = PipelineContext(
            settings,
            partitions,
            store,
            scorer,
            follower,
            producer,
            emitted_outputs,
            idleness,
            tracer,
            ends,
            continuity,
        )
        item_rows: RowCache[DemandRow] = RowCache(_CACHED_ITEM_ROWS)
        catalogue_rows = CatalogueRowsPipeline(settings, partitions, store, producer, new_items, item_rows, continuity)
        shoppers = ShopperPipeline(SHOPPER_SCENARIOS, context)
        series = SeriesPipeline(
            DEMAND,
            settings,
            partitions,
            store,
            triton,
            producer,
            emitted_outputs,
            trending,
            follower.catalogue.categories,
            item_rows,
            CooperativeYield(shoppers.has_waiting_shoppers, time.monotonic),
            DelistedRows(time.monotonic, follower.catalogue.may_contain),
            ends,
            continuity,
        )
        pipelines = shoppers, ItemPipeline(catalogue_rows, series, follower, trending)
        gc.collect()
        gc.freeze()  # what is loaded by now stays: later collections need not walk it
        gc.set_threshold(*_GC_THRESHOLDS)
        sys.setswitchinterval(_SWITCH_S)
        return cls(store, triton, producer, follower, pipelines, idleness, emitted_outputs, tracer, ends, watch)

    def on_zero_lag(self, partitions: frozenset[int]) -> frozenset[int]:
        """Note which `events` partitions of this worker have nothing to read; return those to be announced as idle."""
        return self._idleness.on_zero_lag(partitions)

    async def announce_idle(self, partitions: frozenset[int]) -> None:
        """Announce to the item pipeline that these partitions hold nothing back."""
        try:
            await self._idleness.announce(partitions)
        except RowsLost as lost:
            await self._watch.wait_unless_lost(lost, failures=1)
        except StoreError as error:
            logger.warning("idle partitions not announced yet: %s", error)

    def on_revoked(self) -> None:
        """Invalidate what is cached of partitions that may now be another worker's."""
        self._idleness.reset()
        self.shoppers.invalidate()
        self.items.invalidate()

    async def on_assigned(self, folded: Mapping[tuple[str, int], int]) -> None:
        """Begin with partitions, of each the last record that the group has noted as folded, -1 if none.

        Raises:
            RowsLost: the store has lost some of it.
        """
        await self._watch.on_assigned(folded)

    async def check_store(self) -> None:
        """See whether the store has lost rows that nothing asks for now.

        Raises:
            RowsLost: it has.
        """
        await self._watch.check()

    async def recover(self, error: Exception, failures: int) -> None:
        """Wait until the batches may be processed again. Twice is harmless: fences skip what is done, ids are equal.

        Raises:
            FencedOut: the rows stay another worker's; this one has lost its partitions without hearing of it.
            RowsLost: the store has lost rows; StoreRefused: it has refused for too long.
            HeadraceError, Exception: what waiting cannot repair.
        """
        if isinstance(error, PoisonRecord):
            batch_log.poison(error)
        elif isinstance(error, FencedOut):
            logger.info("%s", error, extra={"reason": "fenced_out"})
            if failures >= _FENCED_TRIES:
                raise error
        elif isinstance(error, StoreError):
            await self._watch.wait(error, failures)
        elif isinstance(error, RowsLost):
            await self._watch.wait_unless_lost(error, failures)
        elif isinstance(error, KafkaError) and is_transient(error):
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
        await self._emitted_outputs.close()
        await self._store.close()
        await asyncio.to_thread(self._tracer.close)
