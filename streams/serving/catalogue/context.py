"""What requests say of the shop: what is withdrawn, what is new to the version, what is popular now."""

from collections.abc import Iterable
from math import log
from typing import Final

import numpy as np

from feature_repo.basics.identity import packed_hash
from headrace.arrays import BOOST_BLOCK, CATEGORY_BLOCK, WITHDRAWN_BLOCK, Floats
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.catalogue.context_blocks import Block, Blocks, block_of
from streams.serving.catalogue.new_items import NewItems
from streams.serving.catalogue.trending import Trending

_MOST_DELISTED: Final = 65_536
"""Items that only a version knows of. One that makes up items without end is not followed."""


BOOST_POINT: Final = log(2)
"""Score of a point of an item's boost: scores are logits, so each point doubles the odds that the model gives it."""


class ShopContext:
    """The catalogue context as it is now, in blocks that are made anew where something has changed."""

    def __init__(
        self, catalogue: Catalogue, new_items: NewItems, trending: Trending, *, categories: bool = False
    ) -> None:
        """Args: categories: whether lists are held to categories."""
        self._catalogue, self._new_items, self._trending = catalogue, new_items, trending
        self._withdrawn = Blocks(WITHDRAWN_BLOCK)
        self._boosted = Blocks(BOOST_BLOCK)
        self._placed = Blocks(CATEGORY_BLOCK) if categories else None
        self._seen_changes = -1
        self._delisted: set[int] = set()
        self._boost: Floats | None = None
        self._popular: list[Block] = []

    def blocks(self) -> list[Block]:
        """For the version that new items were looked up for last."""
        self._follow_catalogue()
        if self._boost is not self._trending.boost:
            self._boost = self._trending.boost
            self._popular = [block_of(BOOST_BLOCK, self._trending.items, self._boost)] if self._boost.any() else []
        boosts = [*self._boosted.blocks(), *self._popular]
        # A version of the first release knows no such blocks.
        placed = self._placed.blocks() if self._placed and self._new_items.supports_rules else ()
        return [*self._withdrawn.blocks(), *self._new_items.blocks(), *boosts, *placed]

    def delist(self, items: Iterable[int]) -> None:
        """Take items that the catalogue lacks, or no longer has, out of lists."""
        for key in items:
            if len(self._delisted) >= _MOST_DELISTED:
                return
            if self._catalogue.get(key) is None:
                self._delisted.add(key)
                self._withdrawn.put(key)

    def _follow_catalogue(self) -> None:
        changes = self._catalogue.changes
        if changes == self._seen_changes:
            return
        for key in self._catalogue.changed_since(self._seen_changes):
            self._delisted.discard(key)
            if self._catalogue.is_withdrawn(key):
                self._withdrawn.put(key)
            else:
                self._withdrawn.discard(key)
            self._follow_entry(key)
        self._seen_changes = changes

    def _follow_entry(self, key: int) -> None:
        entry = self._catalogue.get(key)
        if entry and entry.boost:
            self._boosted.put(key, np.float32(BOOST_POINT * entry.boost).tobytes())
        else:
            self._boosted.discard(key)
        if self._placed is None:
            return
        if entry and entry.categories:
            self._placed.put(key, b"".join([packed_hash(name) for name in dict.fromkeys(entry.categories)]))
        else:
            self._placed.discard(key)
