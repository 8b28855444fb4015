"""What a shopper's event tells the items' road: deltas for its items, and how far its source has come."""

from typing import Final

import msgspec

from feature_repo import money
from feature_repo.actions import ACTION_CODE
from feature_repo.scopes import CategoriesOf, scopes_of, shard_of
from feature_repo.watermark import SourceWatermark
from feature_repo.windows import Windows
from streams.messages.events import Event, EventType
from streams.messages.internal import Entry, ItemDelta, Shown, Watermark

_TOLD: Final = frozenset(EventType) - {EventType.IMPRESSION, EventType.SEARCH, EventType.IDENTIFY}
_SCOPED: Final = frozenset({EventType.ADD_TO_CART, EventType.PURCHASE, EventType.RETURN})
"""Counted for category and shop too; most events are views, and each would be told of several times."""


def tell(
    mark: SourceWatermark,
    event: Event,
    offset: int,
    appended_ms: int,
    windows: Windows,
    lateness_ms: int,
    categories_of: CategoriesOf | None = None,
) -> list[Entry]:
    """The entries that one event gives rise to, in order; its source's mark moves on.

    Args:
        appended_ms: when its source's log took it.
        categories_of: asked for what is also demand of a category and the shop; None: of items alone.
    """
    late = mark.is_late(event.timestamp, windows, lateness_ms)
    told: list[Entry] = []
    if event.items is not None and event.type is EventType.IMPRESSION:
        told.append(Shown(offset, event.timestamp, list(dict.fromkeys(event.items))))
    elif event.item_id is not None and event.type in _TOLD:
        delta = _delta(event, event.item_id, offset, late)
        told.append(delta)
        if categories_of is not None and event.type in _SCOPED:
            shard = shard_of(event.item_id)
            told += [
                msgspec.structs.replace(delta, item_id=scope, shard=shard)
                for scope in scopes_of(categories_of(event.item_id))
            ]
    crossed = mark.observe(event.timestamp, event.user_id, appended_ms, windows, lateness_ms)
    if crossed is not None:
        told.append(Watermark(offset, crossed, idle=False))
    return told


def _delta(event: Event, item_id: str, offset: int, late: bool) -> ItemDelta:
    price = money.held(event.price)
    return ItemDelta(offset, item_id, ACTION_CODE[event.type], event.timestamp, event.quantity, price, late)
