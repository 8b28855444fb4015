"""What a chunk tells of items, by the partitions that own them."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from streams.engine.partitions import partition_of
from streams.messages.internal import Entry, ItemBatch, ItemDelta, Shown, Watermark
from streams.transport import RecordChunk

_ENTRIES_A_BATCH: Final = 500
"""An impression shows up to 500 items, with ids of up to 128 characters: a message stays far below what topics take."""


def item_batches(chunk: RecordChunk, told: Sequence[Entry], partitions: int) -> Iterator[tuple[int, ItemBatch]]:
    """Deltas and impressions to the partitions that own their items, watermarks to all, in messages of bounded size."""
    by_partition: defaultdict[int, list[Entry]] = defaultdict(list)
    for entry in told:
        if isinstance(entry, ItemDelta):
            by_partition[partition_of(entry.item_id, partitions)].append(entry)
        elif isinstance(entry, Watermark):
            for partition in range(partitions):
                by_partition[partition].append(entry)
        else:
            for partition, items in _owned(entry, partitions).items():
                by_partition[partition].append(Shown(entry.offset, entry.timestamp, items))
    origin = f"{chunk.topic}/{chunk.partition}"
    for partition, entries in by_partition.items():
        for at in range(0, len(entries), _ENTRIES_A_BATCH):
            yield partition, ItemBatch(origin, chunk.partition, entries[at : at + _ENTRIES_A_BATCH])


def _owned(shown: Shown, partitions: int) -> dict[int, list[str]]:
    owned: dict[int, list[str]] = {}
    for item_id in shown.items:
        owned.setdefault(partition_of(item_id, partitions), []).append(item_id)
    return owned
