"""The items' road stands on its own feet: the shoppers' may be another process's."""

from streams.engine.items import ItemsRoad
from streams.line import Way
from streams.topics import Topic
from streams.transport import Load, RawRecord, RecordChunk


class Noted:
    """Whoever the road works with; what is asked of them, in order."""

    def __init__(self):
        self.asked = []

    async def catch_up(self):
        self.asked.append("catalogue")

    async def refresh(self):
        self.asked.append("trending")

    async def travel(self, load):
        self.asked.append("items" if isinstance(load, RecordChunk) else "deltas")


def chunk(topic):
    return RecordChunk(topic, 0, [RawRecord(topic, 0, 0, 0, None, b"", ())])


async def test_the_catalogue_and_what_is_popular_are_seen_to_before_anything_is_written():
    noted = Noted()
    road = ItemsRoad(noted, noted, noted, noted)  # type: ignore[arg-type]
    await road.travel(Load([chunk("deltas"), chunk(Topic.ITEMS)]), Way(None, lambda: None))
    assert noted.asked == ["catalogue", "trending", "items", "deltas"]
