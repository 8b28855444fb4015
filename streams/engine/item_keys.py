"""Items in messages between roads, where they stand by their ids, as the items' road knows them: by their keys.

In a message a scope's delta is told from an item's by its shard; on the road by its key, which no item has.
"""

from msgspec.structs import replace

from feature_repo.scopes import item_key
from streams.messages.internal import Entry, ItemBatch, ItemDelta, Shown


def keyed(batch: ItemBatch) -> ItemBatch:
    """The batch by keys. Nearly always that is the very same: only an id that begins oddly is no key."""
    if any(map(_is_odd, batch.entries)):
        return replace(batch, entries=[with_keys(entry) for entry in batch.entries])
    return batch


def _is_odd(entry: Entry) -> bool:
    if isinstance(entry, ItemDelta):
        return entry.shard < 0 and item_key(entry.item_id) != entry.item_id
    return isinstance(entry, Shown) and any(item_key(item_id) != item_id for item_id in entry.items)


def with_keys(entry: Entry) -> Entry:
    """One entry by keys."""
    if isinstance(entry, ItemDelta):
        return replace(entry, item_id=item_key(entry.item_id)) if entry.shard < 0 else entry
    return replace(entry, items=list(map(item_key, entry.items))) if isinstance(entry, Shown) else entry
