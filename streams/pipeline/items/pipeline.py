"""The item pipeline: the catalogue's records and what shoppers did to items, which write the same rows."""

from headrace.topics import Topic
from streams.kafka.transport import Batch
from streams.pipeline.items.catalogue_rows import CatalogueRowsPipeline
from streams.pipeline.items.series import SeriesPipeline
from streams.scheduler.slots import BatchSlot
from streams.serving.catalogue.follower import CatalogueFollower
from streams.serving.catalogue.trending import Trending


class ItemPipeline:
    """Takes batches of `items` and of the item updates through the pipeline, one batch after the other.

    The shopper pipeline may be another process's: this one keeps the catalogue up to date, and flushes what is popular,
    by itself.
    """

    def __init__(
        self,
        catalogue_rows: CatalogueRowsPipeline,
        series: SeriesPipeline,
        follower: CatalogueFollower,
        trending: Trending,
    ) -> None:
        self._catalogue_rows = catalogue_rows
        self._series = series
        self._follower = follower
        self._trending = trending

    async def process(self, batch: Batch, slot: BatchSlot) -> None:
        """Take one batch through the pipeline; when this returns its offsets may be committed.

        Raises:
            FencedOut: another worker wrote one of the rows; the batch may be processed again.
            StoreError: the store is out of reach; likewise.
        """
        await self._follower.catch_up()
        await self._trending.refresh()  # before the batch: what fails after its write makes it be processed again
        for part in batch.parts:
            if part.topic == Topic.ITEMS:
                await self._catalogue_rows.process(part)
        if updates := [part for part in batch.parts if part.topic != Topic.ITEMS]:
            await self._series.process(updates)

    def invalidate(self) -> None:
        """Drop what is kept of rows."""
        self._series.invalidate()
