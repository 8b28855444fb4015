"""The items' road: the catalogue's records and what shoppers did to items, which write the same rows."""

from streams.engine.catalogue_follower import CatalogueFollower
from streams.engine.demand import DemandRoad
from streams.engine.item_rows import ItemRowsRoad
from streams.engine.trending import Trending
from streams.line import Way
from streams.topics import Topic
from streams.transport import Load


class ItemsRoad:
    """Takes loads of `items` and of the item deltas down the road, one load after the other.

    The shoppers' road may be another process's: this one keeps the catalogue up to date, and tells what is popular, by
    itself.
    """

    def __init__(
        self, item_rows: ItemRowsRoad, demand: DemandRoad, follower: CatalogueFollower, trending: Trending
    ) -> None:
        self._item_rows = item_rows
        self._demand = demand
        self._follower = follower
        self._trending = trending

    async def travel(self, load: Load, way: Way) -> None:
        """Take one load down the road; when this returns its offsets may be committed.

        Raises:
            FencedOut: another worker wrote one of the rows; the load may be travelled again.
            StoreError: the store is out of reach; likewise.
        """
        await self._follower.catch_up()
        await self._trending.refresh()  # of the loads before: what fails after a load is written makes it travel again
        for chunk in load.chunks:
            if chunk.topic == Topic.ITEMS:
                await self._item_rows.travel(chunk)
        if deltas := [chunk for chunk in load.chunks if chunk.topic != Topic.ITEMS]:
            await self._demand.travel(deltas)

    def forget(self) -> None:
        """Drop what is kept of rows."""
        self._demand.forget()
