"""The catalogue that every worker holds: what is sold, what it is called, whether it can be had."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final, NamedTuple

import numpy as np

from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.items.catalogue import item_text
from headrace.arrays import Ints
from headrace.messages.items import Item
from streams.serving.catalogue.append_order import NEVER, is_later

_REMEMBERED: Final = 65_536
"""Changes that whoever derives something from the catalogue may lag behind by, without beginning again."""


class Entry(NamedTuple):
    """What a worker knows of an item."""

    item_id: str
    title: str  # empty where an item was withdrawn before its record came
    text: str  # what the text encoder reads
    categories: tuple[str, ...]
    available: bool
    order: int = NEVER  # of the append that said so
    boost: float = 0.0  # points; each doubles the item's odds
    pinned_for: tuple[str, ...] = ()  # categories


def _entry(item: Item, text: str, order: int) -> Entry:
    categories, pinned = tuple(item.categories or ()), tuple(item.pinned_for or ())
    return Entry(item.item_id, item.title, text, categories, item.available, order, item.boost or 0.0, pinned)


class Catalogue:
    """Items by hash. A withdrawn item keeps its entry, unavailable, so that history and reasons can name it."""

    def __init__(self) -> None:
        self._entries: dict[int, Entry] = {}
        self._withdrawn: set[int] = set()
        self._boosted: dict[int, float] = {}
        self._pinned: dict[str, set[int]] = {}
        self._changed: deque[int] = deque(maxlen=_REMEMBERED)
        self.changes = 0
        """Counts updates, so that what is derived from the catalogue knows when it is stale."""

    def put(self, item: Item, order: int = NEVER) -> None:
        """Add or replace an item, unless a later append has said otherwise."""
        key = item_hash(item.item_id)
        if not self._is_later(key, order):
            return
        text = item_text(item.title, item.description, item.brand, item.categories)
        self._put(key, _entry(item, text, order))
        (self._withdrawn.discard if item.available else self._withdrawn.add)(key)
        self._note(key)

    def withdraw(self, item_id: str, order: int = NEVER) -> None:
        """Take an item out of every list from now on, unless a later append has said otherwise."""
        key = item_hash(item_id)
        if not self._is_later(key, order):
            return
        known = self._entries.get(key, Entry(item_id, "", "", (), available=False))
        self._put(key, known._replace(available=False, order=order, boost=0.0, pinned_for=()))
        self._withdrawn.add(key)
        self._note(key)

    def _put(self, key: int, entry: Entry) -> None:
        """Put an entry in the place of what was known, with what the shop has set for the item."""
        before = self._entries.get(key)
        for name in before.pinned_for if before else ():
            self._pinned.get(name, set()).discard(key)
        for name in entry.pinned_for:
            self._pinned.setdefault(name, set()).add(key)
        if entry.boost:
            self._boosted[key] = entry.boost
        else:
            self._boosted.pop(key, None)
        self._entries[key] = entry

    def _note(self, key: int) -> None:
        self._changed.append(key)
        self.changes += 1

    def _is_later(self, key: int, order: int) -> bool:
        known = self._entries.get(key)
        return known is None or is_later(order, known.order)

    def changed_since(self, changes: int) -> Iterable[int]:
        """What has changed since there were so many changes, each hash once; all where that is too long ago."""
        behind = self.changes - changes
        if changes < 0 or behind > len(self._changed):
            return self._entries
        return dict.fromkeys(islice(reversed(self._changed), behind))

    def get(self, key: int) -> Entry | None:
        """The entry of an item hash."""
        return self._entries.get(key)

    def entries(self, keys: Iterable[int]) -> Iterator[Entry | None]:
        """The entries of item hashes, in order; None for what is unknown, `NO_ITEM` too."""
        return map(self._entries.get, keys)

    def title(self, item_id: str) -> str | None:
        """An item's title; None when the catalogue lacks it."""
        entry = self._entries.get(item_hash(item_id))
        return entry.title or None if entry else None

    def categories(self, item_id: str) -> tuple[str, ...]:
        """An item's categories; none when the catalogue lacks it."""
        entry = self._entries.get(item_hash(item_id))
        return entry.categories if entry else ()

    @property
    def boosted(self) -> Mapping[int, float]:
        """Points of the items that the shop boosts, by hash."""
        return self._boosted

    def pinned(self, categories: Iterable[str]) -> list[int]:
        """Hashes of what is pinned for some categories and can be had, each once, ascending."""
        keys = {key for name in categories for key in self._pinned.get(name, ())} if self._pinned else ()
        return sorted(key for key in keys if key not in self._withdrawn)

    def may_contain(self, item_id: str) -> bool:
        """Whether it is an item, as far as the catalogue tells: one that is empty tells nothing."""
        return not self._entries or item_hash(item_id) in self._entries

    @property
    def has_pins(self) -> bool:
        """Whether anything is pinned, or was."""
        return bool(self._pinned)

    def __contains__(self, item_id: str) -> bool:
        return item_hash(item_id) in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[int]:
        return iter(self._entries)

    def is_withdrawn(self, key: int) -> bool:
        """Whether an item must not be recommended."""
        return key in self._withdrawn

    def withdrawn_among(self, keys: set[int]) -> set[int]:
        """Those of some item hashes that must not be recommended."""
        return keys & self._withdrawn

    def withdrawn(self) -> Ints:
        """Hashes of what must not be recommended; one NO_ITEM when everything may. [W]"""
        return np.fromiter(sorted(self._withdrawn) or [NO_ITEM], np.int64)
