"""Demand of more than one item: of a category, and of the whole shop.

A scope is counted, forecast and judged as an item is, under a key that no item has: an item's key is its id, but where
the id begins as the keys of scopes do it is written with that sign twice. Which categories an item is in is what the
catalogue says when its event is told of.
"""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final, Literal, NamedTuple
from zlib import crc32

_SIGN: Final = "\x1f"
SHOP: Final = _SIGN + "shop"
_CATEGORY: Final = _SIGN + "category/"

_SERIES: Final = _SIGN + "series/"

SHARDS: Final = 8
"""A scope's units are also counted by shard of its items, so that one item's surge is told from a shared one."""

_MOST: Final = 32
"""Categories, the first, that an item's demand is also demand of: each event of the item is an item update for each."""
_LONGEST: Final = 256
"""Characters of a name that a category may be counted under."""

_KIND: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")
_KINDS: Final = frozenset({"item", "category", "shop", "series"})
"""Kinds that no series may give to names of its own."""

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


def keys_of(
    item_id: str | None, kinds: Collection[str], names: Iterable[tuple[str, str]], categories_of: CategoriesOf
) -> list[str]:
    """The keys, beside an item's own, that a series counts an event under, none twice.

    Args:
        kinds: of `category` and `shop`, those that are counted.
        names: kinds and names of the series' own.

    Raises:
        ValueError: a kind is no lower-case word, or has a meaning already.
    """
    categories = categories_of(item_id) if item_id is not None and "category" in kinds else ()
    keys = [key for key in scopes_of(categories) if key != SHOP or "shop" in kinds]
    own = dict.fromkeys((kind, name) for kind, name in names if name and len(name) <= _LONGEST)
    for kind, name in list(own)[:_MOST]:
        if kind in _KINDS or not _KIND.fullmatch(kind):
            raise ValueError(f"a kind of names is a lower-case word, and none of {', '.join(sorted(_KINDS))}: {kind!r}")
        keys.append(f"{_SIGN}{kind}/{name}")
    return keys


def series_key(series: str, key: str) -> str:
    """The key of the row in which a series counts an item or a scope; no item and no scope has it."""
    return f"{_SERIES}{series}/{key}"


def series_of(row_key: str) -> tuple[str, str] | None:
    """The series and the key that such a row is of; None for the row of an item or a scope."""
    if not row_key.startswith(_SERIES):
        return None
    series, _, key = row_key.removeprefix(_SERIES).partition("/")
    return series, key


def kind_and_name(key: str) -> tuple[str, str | None]:
    """What a key of a series stands for: `item`, `category`, `shop` or a kind of its own, and its name."""
    if not key.startswith(_SIGN) or key.startswith(_SIGN + _SIGN):
        return "item", item_of(key)
    kind, sign, name = key[1:].partition("/")
    return kind, name if sign else None


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
