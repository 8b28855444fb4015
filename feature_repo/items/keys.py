"""Items in messages between pipelines, where they stand by their ids, as the item pipeline knows them: by their keys.

In a message a scope's item update is told from an item's by its shard; on the pipeline by its key, which no item has.
"""

from msgspec.structs import replace

from feature_repo.items.scopes import item_key
from headrace.messages.internal import Entry, ItemImpression, ItemUpdate, ItemUpdateBatch, SeriesUpdate


def keyed(batch: ItemUpdateBatch) -> ItemUpdateBatch:
    """The batch by keys. Nearly always that is the very same: only an id that begins oddly is no key."""
    if any(map(_needs_key, batch.entries)):
        return replace(batch, entries=[with_keys(entry) for entry in batch.entries])
    return batch


def _needs_key(entry: Entry) -> bool:
    if isinstance(entry, ItemUpdate):
        return entry.shard < 0 and item_key(entry.item_id) != entry.item_id
    if isinstance(entry, SeriesUpdate):
        return entry.shard < 0 and item_key(entry.key) != entry.key
    return isinstance(entry, ItemImpression) and any(item_key(item_id) != item_id for item_id in entry.items)


def with_keys(entry: Entry) -> Entry:
    """One entry by keys."""
    if isinstance(entry, ItemUpdate):
        return replace(entry, item_id=item_key(entry.item_id)) if entry.shard < 0 else entry
    if isinstance(entry, SeriesUpdate):
        return replace(entry, key=item_key(entry.key)) if entry.shard < 0 else entry
    return replace(entry, items=list(map(item_key, entry.items))) if isinstance(entry, ItemImpression) else entry
