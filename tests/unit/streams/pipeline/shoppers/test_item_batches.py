"""What is told of items reaches the partitions that own them, in order and in bounded messages."""

from headrace.messages.internal import Entry, ItemImpression, ItemUpdate, ItemUpdateBatch, Watermark
from headrace.partitioning import partition_of
from streams.kafka.transport import PartitionBatch
from streams.pipeline.shoppers.item_updates import item_update_batches

PARTITIONS = 4
CHUNK = PartitionBatch("events", 2, [])


def batches(*reported: Entry) -> list[tuple[int, ItemUpdateBatch]]:
    return list(item_update_batches(CHUNK, reported, PARTITIONS))


def test_an_impression_is_split_among_the_owners_of_its_items():
    items = [f"item-{n}" for n in range(20)]
    split = {partition: batch.entries for partition, batch in batches(ItemImpression(7, 1, items))}
    assert len(split) == PARTITIONS
    for partition, [shown] in split.items():
        assert isinstance(shown, ItemImpression)
        assert (shown.offset, shown.timestamp) == (7, 1)
        assert shown.items == [item for item in items if partition_of(item, PARTITIONS) == partition]


def test_a_watermark_reaches_every_partition_after_what_came_before_it():
    update, mark = ItemUpdate(1, "tea", 1, 5, 1, -1, False), Watermark(1, 5, False)
    reported = dict(batches(update, mark))
    assert reported.keys() == set(range(PARTITIONS))
    assert reported[partition_of("tea", PARTITIONS)].entries == [update, mark]
    assert all(batch.origin == "events/2" and batch.source == 2 for batch in reported.values())


def test_a_long_batch_makes_several_messages():
    reported = [ItemUpdate(n, "tea", 1, 5, 1, -1, False) for n in range(1_200)]
    parts = [batch.entries for _, batch in batches(*reported)]
    assert [len(part) for part in parts] == [500, 500, 200]
    assert [entry for part in parts for entry in part] == reported
