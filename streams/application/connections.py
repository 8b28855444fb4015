"""What a worker holds open: the store, Triton, Kafka, the catalogue, traces."""

import asyncio
from typing import NamedTuple

from feature_repo.store.row_store import RowStore
from headrace.settings import Settings
from streams.kafka.admin.copartition import Prepared
from streams.pipeline.emit import Producer
from streams.pipeline.emitted import EmittedOutputs
from streams.pipeline.log_ends import LogEnds
from streams.pipeline.shoppers.tracing import Tracer, open_tracer
from streams.serving.catalogue.follower import CatalogueFollower
from streams.serving.catalogue.new_items import NewItems
from streams.serving.catalogue.trending import Trending
from streams.serving.serving import WorkerServing
from streams.serving.triton.client import Triton


class Connections(NamedTuple):
    """All that is open; see the classes."""

    store: RowStore
    serving: WorkerServing
    producer: Producer
    emitted: EmittedOutputs
    ends: LogEnds
    tracer: Tracer

    @classmethod
    async def open(cls, settings: Settings, prepared: Prepared, store: RowStore) -> "Connections":
        """Connect, and read the catalogue to its end.

        Raises:
            TopicChanged, UsageError, StoreError: with what to do about it.
        """
        emitted = await EmittedOutputs.open(settings)
        triton, producer = Triton(settings), await Producer.open(settings, prepared.outputs)
        await store.note_withdrawn(await emitted.withdrawn(), back=())
        follower = await CatalogueFollower.open(settings, prepared.partitions, await store.withdrawn())
        new_items = NewItems(follower.catalogue, store, triton)
        on = settings.trending and not settings.catching_up
        trending = Trending(store, on=on, counts=follower.catalogue.may_contain)
        serving = WorkerServing(settings, triton, follower, new_items, trending)
        return cls(store, serving, producer, emitted, await LogEnds.open(settings), open_tracer(settings))

    async def close(self) -> None:
        """Disconnect, the producer first so that it flushes."""
        await self.producer.close()
        await self.serving.follower.close()
        await self.ends.close()
        await self.serving.triton.close()
        await self.emitted.close()
        await self.store.close()
        await asyncio.to_thread(self.tracer.close)
