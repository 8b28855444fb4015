"""What a shopper's event tells the items' road: deltas for its items, and how far its source has come."""

from typing import Final

import msgspec

from feature_repo.actions import ACTION_CODE
from feature_repo.scopes import CategoriesOf, scopes_of, shard_of
from feature_repo.watermark import SourceWatermark
from streams.messages.events import Event, EventType
from streams.messages.internal import ItemDelta, Watermark

_TOLD: Final = frozenset(EventType) - {EventType.SEARCH, EventType.IDENTIFY}
_SCOPED: Final = frozenset({EventType.ADD_TO_CART, EventType.PURCHASE, EventType.RETURN})
"""Counted for category and shop too; most events are views, and each would be told of several times."""


def tell(
    mark: SourceWatermark,
    event: Event,
    offset: int,
    window_ms: int,
    lateness_ms: int,
    categories_of: CategoriesOf | None = None,
) -> list[ItemDelta | Watermark]:
    """The entries that one event gives rise to, in order; its source's mark moves on.

    Args:
        categories_of: asked for what is also demand of a category and the shop; None: of items alone.
    """
    late = mark.is_late(event.timestamp, window_ms, lateness_ms)
    told: list[ItemDelta | Watermark] = []
    if event.type in _TOLD:
        deltas = item_deltas(event, offset, late=late)
        told += deltas
        if categories_of is not None and event.type in _SCOPED:
            told += [
                msgspec.structs.replace(delta, item_id=scope, shard=shard_of(delta.item_id))
                for delta in deltas
                for scope in scopes_of(categories_of(delta.item_id))
            ]
    crossed = mark.observe(event.timestamp, event.user_id, window_ms, lateness_ms)
    if crossed is not None:
        told.append(Watermark(offset, crossed, idle=False))
    return told


def item_deltas(event: Event, offset: int, *, late: bool) -> list[ItemDelta]:
    """One event as the counters of its items see it; an item shown twice in an impression counts once."""
    items = dict.fromkeys(event.items or ()) if event.item_id is None else (event.item_id,)
    cents = -1 if event.price is None else round(event.price * 100)
    code = ACTION_CODE[event.type]
    return [ItemDelta(offset, item_id, code, event.timestamp, event.quantity, cents, late) for item_id in items]
