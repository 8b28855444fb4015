"""Demand of more than one item: of a category, and of the whole shop.

A scope is counted, forecast and judged as an item is, under a key that no item has: an item's key is its id, but where
the id begins as the keys of scopes do it is written with that sign twice. Which categories an item is in is what the
catalogue says when its event is told of.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple
from zlib import crc32

_SIGN: Final = "\x1f"
SHOP: Final = _SIGN + "shop"
_CATEGORY: Final = _SIGN + "category/"

SHARDS: Final = 8
"""A scope's units are also counted by shard of its items, so that one item's surge is told from a shared one."""

_MOST: Final = 32
"""Categories, the first, that an item's demand is also demand of: each event of the item is an item update for each."""
_LONGEST: Final = 256
"""Characters of a name that a category may be counted under."""

CategoriesOf = Callable[[str], Sequence[str]]
"""The categories of an item, by its id."""


class Scope(NamedTuple):
    """What an alert is about."""

    kind: Literal["item", "category", "shop"]
    name: str | None


def scopes_of(categories: Sequence[str]) -> list[str]:
    """The keys of all that an item's demand is also demand of."""
    named = [category for category in dict.fromkeys(categories) if len(category) <= _LONGEST]
    return [SHOP, *(_CATEGORY + category for category in named[:_MOST])]


def shard_of(item_id: str) -> int:
    """The shard of an item in each of its scopes."""
    return crc32(item_id.encode("utf-8", "surrogatepass")) % SHARDS


def item_key(item_id: str) -> str:
    """The key of an item; no two items have one, and no scope has it."""
    return _SIGN + item_id if item_id.startswith(_SIGN) else item_id


def item_of(key: str) -> str:
    """The id of the item that has a key."""
    return key[1:] if key.startswith(_SIGN + _SIGN) else key


def is_scope(key: str) -> bool:
    """Whether a key is a scope's, not an item's."""
    return key == SHOP or key.startswith(_CATEGORY)


def scope_of(key: str) -> Scope:
    """What a key stands for."""
    if key.startswith(_CATEGORY):
        return Scope("category", key.removeprefix(_CATEGORY))
    return Scope("shop", None) if key == SHOP else Scope("item", item_of(key))
