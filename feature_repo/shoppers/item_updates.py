"""The item updates that a shopper's event gives rise to, and the watermark of its source."""

from collections.abc import Sequence
from typing import Final

import msgspec

from feature_repo.basics import money
from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.windows import Windows
from feature_repo.items.scopes import CategoriesOf, scopes_of, shard_of
from feature_repo.shoppers.series_updates import series_updates
from feature_repo.shoppers.watermark import SourceWatermark
from headrace.messages.events import Event, EventType
from headrace.messages.internal import Entry, ItemImpression, ItemUpdate, Watermark
from headrace.scenarios.declaration import Scenario

_COUNTED: Final = frozenset(EventType) - {EventType.IMPRESSION, EventType.SEARCH, EventType.IDENTIFY}
_SCOPED: Final = frozenset({EventType.ADD_TO_CART, EventType.PURCHASE, EventType.RETURN})
"""Counted for category and shop too; most events are views, and each would be several item updates."""


def derive_updates(
    mark: SourceWatermark,
    event: Event,
    offset: int,
    appended_ms: int,
    windows: Windows,
    lateness_ms: int,
    categories_of: CategoriesOf | None = None,
    scenarios: Sequence[Scenario] = (),
) -> list[Entry]:
    """The entries that one event gives rise to, in order; its source's mark moves on.

    Args:
        appended_ms: when its source's log took it.
        categories_of: asked for what is also demand of a category and the shop; None: of items alone.
        scenarios: those whose series are counted.

    Raises:
        ScenarioFailed: a function of a series raised.
    """
    late = mark.is_late(event.timestamp, windows, lateness_ms)
    updates: list[Entry] = []
    if event.items is not None and event.type is EventType.IMPRESSION:
        updates.append(ItemImpression(offset, event.timestamp, list(dict.fromkeys(event.items))))
    elif event.item_id is not None and event.type in _COUNTED:
        update = _update(event, event.item_id, offset, late)
        updates.append(update)
        if categories_of is not None and event.type in _SCOPED:
            shard = shard_of(event.item_id)
            updates += [
                msgspec.structs.replace(update, item_id=scope, shard=shard)
                for scope in scopes_of(categories_of(event.item_id))
            ]
    if scenarios:
        updates += series_updates(scenarios, event, offset, late, categories_of or _no_categories)
    crossed = mark.observe(event.timestamp, event.user_id, appended_ms, windows, lateness_ms)
    if crossed is not None:
        updates.append(Watermark(offset, crossed, idle=False))
    return updates


def _no_categories(_: str) -> Sequence[str]:
    return ()


def _update(event: Event, item_id: str, offset: int, late: bool) -> ItemUpdate:
    price = money.held(event.price)
    return ItemUpdate(offset, item_id, ACTION_CODE[event.type], event.timestamp, event.quantity, price, late)
