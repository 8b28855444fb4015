"""A worker's parts, wired together: what the Faust agents hand their batches to."""

import asyncio
import logging
import time
from collections.abc import Mapping

from aiokafka.errors import KafkaError

from feature_repo.basics import schema
from feature_repo.shoppers.scenario_states import ScenarioStateCodec
from feature_repo.store.row_store import RowStore
from headrace.errors import FencedOut, RowsLost, StoreError
from headrace.messages.decoding import request_decoders
from headrace.scenarios.registry import installed
from headrace.settings import Settings
from headrace.topics import item_updates, rekeyed, topics_of
from streams.application.connections import Connections
from streams.kafka.admin.copartition import Prepared
from streams.pipeline import batch_log
from streams.pipeline.emit import is_transient
from streams.pipeline.items.catalogue_rows import CatalogueRowsPipeline
from streams.pipeline.items.cooperative_yield import CooperativeYield
from streams.pipeline.items.delisted import DelistedRows
from streams.pipeline.items.evaluate import open_series
from streams.pipeline.items.pipeline import ItemPipeline
from streams.pipeline.items.row_access import Row, SeriesRows
from streams.pipeline.items.series import SeriesPipeline, UpdateInputs
from streams.pipeline.poison import PoisonRecord
from streams.pipeline.rows import sources
from streams.pipeline.rows.cache import RowCache
from streams.pipeline.rows.continuity import Continuity
from streams.pipeline.rows.store_watch import StoreWatch
from streams.pipeline.shoppers.build import OutputBuilder
from streams.pipeline.shoppers.idleness import Idleness, IdleSources
from streams.pipeline.shoppers.pipeline import ShopperInputs, ShopperPipeline
from streams.pipeline.shoppers.rows import ShopperRows
from streams.scheduler.slots import IN_FLIGHT
from streams.serving.scorers import Scorers

logger = logging.getLogger(__name__)

_FENCED_TRIES = 20
_CACHED_ITEM_ROWS = 131_072
"""Items whose rows stay in memory, one to two kilobytes each. Where more sell in a window, every row of every window
is read anew: for 100,000 that was a quarter of the item pipeline."""
_PAUSE_S = 1.0


class Runtime:
    """All that a worker holds open, and what it does when something of it fails."""

    def __init__(
        self,
        connections: Connections,
        pipelines: tuple[ShopperPipeline, ItemPipeline],
        idleness: Idleness,
        watch: StoreWatch,
    ) -> None:
        self._connections = connections
        self.shoppers, self.items = pipelines
        self._idleness = idleness
        self._watch = watch

    @classmethod
    async def open(cls, settings: Settings, prepared: Prepared) -> "Runtime":
        """Connect everything, read the catalogue, and verify the topics against what the store remembers.

        Raises:
            TopicChanged, StreamError, StoreError, RowsLost, ScenarioError: with what to do about it.
        """
        registry = installed(settings.scenarios)
        store, continuity = await RowStore.open(settings), Continuity(settings.group)
        watch = StoreWatch(store, continuity, settings.group, time.monotonic)
        await watch.open()
        await schema.verify(store)
        inputs = [*topics_of(settings).inputs, rekeyed(settings.group), item_updates(settings.group)]
        await sources.verify_store(settings, inputs, store)
        opened = await Connections.open(settings, prepared, store)
        serving = opened.serving
        codec = ScenarioStateCodec(registry.views)
        rows = ShopperRows(store, continuity, codec, IN_FLIGHT * settings.chunk)
        requests = request_decoders(settings)
        idleness = Idleness(settings, prepared.partitions, rows, opened.producer, time.monotonic)
        catalogue = serving.follower.catalogue
        shoppers = ShopperPipeline(
            registry.scenarios,
            settings,
            ShopperInputs(prepared.partitions, requests, opened.ends, opened.emitted),
            rows,
            serving.follower,
            Scorers(registry.scenarios, serving),
            OutputBuilder(registry.scenarios, settings, prepared.partitions, catalogue, opened.tracer),
            opened.producer,
            idleness,
        )
        item_rows: RowCache[Row] = RowCache(_CACHED_ITEM_ROWS)
        catalogue_rows = CatalogueRowsPipeline(
            settings, prepared.partitions, store, opened.producer, serving.new_items, item_rows, continuity
        )
        opened_series = open_series(registry.scenarios, serving, settings, catalogue.categories)
        series = SeriesPipeline(
            opened_series,
            settings,
            UpdateInputs(prepared.partitions, opened.ends, opened.emitted),
            SeriesRows(
                store,
                item_rows,
                continuity,
                DelistedRows(time.monotonic, catalogue.may_contain),
                CooperativeYield(shoppers.has_waiting_shoppers, time.monotonic),
                [one.counted for one in opened_series if one.counted is not None],
            ),
            opened.producer,
            serving.trending,
        )
        pipelines = shoppers, ItemPipeline(catalogue_rows, series, serving.follower, serving.trending)
        return cls(opened, pipelines, idleness, watch)

    def on_zero_lag(self, partitions: frozenset[int]) -> IdleSources:
        """Note which `events` partitions of this worker have nothing to read; return what to announce of them."""
        return self._idleness.on_zero_lag(partitions)

    async def announce_idle(self, idle: IdleSources) -> None:
        """Announce that partitions hold no window back, and how far the time of their timers has come."""
        try:
            await self._idleness.announce(idle)
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
        """Disconnect."""
        await self._connections.close()
