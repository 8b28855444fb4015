"""What Headrace's own topics carry: item updates and watermarks, from the shopper pipeline to the item pipeline.

Both are sent in an `ItemUpdateBatch`, one message for each (batch, target partition), in the order they arose. Each
entry knows the offset of the record that caused it, so how records were cut into batches leaves no trace.
"""

from msgspec import Struct


class ItemUpdate(Struct, frozen=True, array_like=True, tag=0):
    """One event as an item's counters see it.

    Attributes:
        offset: offset of the causing record in the batch's origin; the item row's fence stands on it.
        item_id: the item.
        action: index into `feature_repo.basics.actions.ACTIONS`.
        timestamp: event time, ms.
        quantity: units.
        price_cents: unit price as `feature_repo.basics.money` holds it, -1 when the event had none.
        late: whether the source's own watermark had already passed the window's end plus lateness; such an item update
            corrects the counters and changes no decision about a window.
        shard: for a category's or the shop's counters, which of their shards the item falls into; -1 for an item's own.
    """

    offset: int
    item_id: str
    action: int
    timestamp: int
    quantity: int
    price_cents: int
    late: bool
    shard: int = -1


class Watermark(Struct, frozen=True, array_like=True, tag=1):
    """A source partition's event time has crossed a window's edge: no on-time item update before `time` follows.

    Attributes:
        offset: offset of the record that crossed; -1 for an idle source or the end of a replay.
        time: event time, ms.
        idle: the source has nothing more to say for now and holds no window back.
    """

    offset: int
    time: int
    idle: bool


class ItemImpression(Struct, frozen=True, array_like=True, tag=2):
    """One impression as the counters of its items see it: most item updates would be such, ten at a time.

    Attributes:
        offset, timestamp: as of an `ItemUpdate`.
        items: the items shown that are the target partition's, none twice.
    """

    offset: int
    timestamp: int
    items: list[str]


class SeriesUpdate(Struct, frozen=True, array_like=True, tag=3):
    """What one event adds to one key of a series that a scenario declares.

    Attributes:
        offset, timestamp, late: as of an `ItemUpdate`.
        series: its name.
        key: the item's id, or the key of a scope (`feature_repo.items.scopes`).
        counts: what is added, by column.
        shard: as of an `ItemUpdate`.
    """

    offset: int
    series: str
    key: str
    timestamp: int
    counts: tuple[int, ...]
    late: bool
    shard: int = -1


Entry = ItemUpdate | Watermark | ItemImpression | SeriesUpdate


class ItemUpdateBatch(Struct, frozen=True, array_like=True):
    """All that one batch of one source has to say to one partition of the item pipeline.

    Attributes:
        origin: "topic/partition" of the consumed records, as in a row's fence.
        source: the `events` partition whose watermarks these are.
        entries: updates of items and series, and watermarks, in the order they arose.
    """

    origin: str
    source: int
    entries: list[Entry]
