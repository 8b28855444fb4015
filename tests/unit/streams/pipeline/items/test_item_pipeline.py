"""The item pipeline stands on its own feet: the shoppers' may be another process's."""

from headrace.topics import Topic
from streams.kafka.transport import Batch, PartitionBatch, RawRecord
from streams.pipeline.items.pipeline import ItemPipeline
from streams.scheduler.slots import BatchSlot


class Noted:
    """Whoever the pipeline works with; what is asked of them, in order."""

    def __init__(self):
        self.requested = []

    async def catch_up(self):
        self.requested.append("catalogue")

    async def refresh(self):
        self.requested.append("trending")

    async def process(self, batch):
        self.requested.append("items" if isinstance(batch, PartitionBatch) else "deltas")


def batch(topic):
    return PartitionBatch(topic, 0, [RawRecord(topic, 0, 0, 0, None, b"", ())])


async def test_the_catalogue_and_what_is_popular_are_seen_to_before_anything_is_written():
    noted = Noted()
    pipeline = ItemPipeline(noted, noted, noted, noted)  # type: ignore[arg-type]
    await pipeline.process(Batch([batch("deltas"), batch(Topic.ITEMS)]), BatchSlot(None, lambda: None))
    assert noted.requested == ["catalogue", "trending", "items", "deltas"]
