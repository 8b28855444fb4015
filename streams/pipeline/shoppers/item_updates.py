"""The item updates of a batch, by the partitions that own the items."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from headrace.messages.internal import Entry, ItemImpression, ItemUpdate, ItemUpdateBatch, SeriesUpdate, Watermark
from headrace.partitioning import partition_of
from streams.kafka.transport import PartitionBatch

_MAX_ENTRIES: Final = 500
"""An impression shows up to 500 items, with ids of up to 128 characters: a message stays far below what topics take."""


def item_update_batches(
    batch: PartitionBatch, updates: Sequence[Entry], partitions: int
) -> Iterator[tuple[int, ItemUpdateBatch]]:
    """Updates to the partitions that own their items, watermarks to all, in messages of bounded size."""
    by_partition: defaultdict[int, list[Entry]] = defaultdict(list)
    for entry in updates:
        if isinstance(entry, ItemUpdate):
            by_partition[partition_of(entry.item_id, partitions)].append(entry)
        elif isinstance(entry, SeriesUpdate):
            by_partition[partition_of(entry.key, partitions)].append(entry)
        elif isinstance(entry, Watermark):
            for partition in range(partitions):
                by_partition[partition].append(entry)
        else:
            for partition, items in _owned(entry, partitions).items():
                by_partition[partition].append(ItemImpression(entry.offset, entry.timestamp, items))
    origin = f"{batch.topic}/{batch.partition}"
    for partition, entries in by_partition.items():
        for at in range(0, len(entries), _MAX_ENTRIES):
            yield partition, ItemUpdateBatch(origin, batch.partition, entries[at : at + _MAX_ENTRIES])


def _owned(shown: ItemImpression, partitions: int) -> dict[int, list[str]]:
    owned: dict[int, list[str]] = {}
    for item_id in shown.items:
        owned.setdefault(partition_of(item_id, partitions), []).append(item_id)
    return owned
