"""The items' road: the catalogue's records and what shoppers did to items, which write the same rows."""

from streams.engine.demand import DemandRoad
from streams.engine.item_rows import ItemRowsRoad
from streams.line import Way
from streams.topics import Topic
from streams.transport import Load


class ItemsRoad:
    """Takes loads of `items` and of the item deltas down the road, one load after the other."""

    def __init__(self, item_rows: ItemRowsRoad, demand: DemandRoad) -> None:
        self._item_rows = item_rows
        self._demand = demand

    async def travel(self, load: Load, way: Way) -> None:
        """Take one load down the road; when this returns its offsets may be committed.

        Raises:
            FencedOut: another worker wrote one of the rows; the load may be travelled again.
            StoreError: the store is out of reach; likewise.
        """
        for chunk in load.chunks:
            if chunk.topic == Topic.ITEMS:
                await self._item_rows.travel(chunk)
        if deltas := [chunk for chunk in load.chunks if chunk.topic != Topic.ITEMS]:
            await self._demand.travel(deltas)

    def forget(self) -> None:
        """Drop what is kept of rows."""
        self._demand.forget()
