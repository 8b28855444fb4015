"""Live popularity over all shoppers, as of the moment: off where a replay must be exact (rule 13)."""

import time
from collections.abc import Callable
from heapq import nlargest
from operator import itemgetter

import numpy as np

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.items.scopes import item_of
from feature_repo.store.row_store import RowStore
from headrace.arrays import Floats, Ints
from headrace.messages.internal import ItemUpdate

_REFRESH_S = 5.0
_BUCKET_S = 3_600
_BUCKETS = 24
_TOP = 100
_MAX_FLUSHED = 1_000
"""Items flushed at once: the list is made of a hundred, and a command an item costs more than counting it."""
_MAX_PENDING = 20_000
"""Items that wait to be flushed, 3 MB; of more, those that least was done with are left out."""
_BOOST = 0.02
"""Score per doubling of an item's weight: trends break near ties, they do not overrule the shopper's own history."""
_WEIGHT = {ACTION_CODE["view"]: 1, ACTION_CODE["add_to_cart"]: 3, ACTION_CODE["purchase"]: 5}


class Trending:
    """Counts what happens now in the store, and holds the top of the last day for a few seconds."""

    def __init__(self, store: RowStore, *, on: bool, counts: Callable[[str], bool] = lambda _: True) -> None:
        """Args: counts: whether an item can be listed at all; what bots and typing errors name is not counted."""
        self._store = store
        self._counts = counts
        self._on = on
        self._due = 0.0
        self._counted: dict[str, int] = {}
        self.ranking: list[int] = []
        self.items: Ints = np.array([NO_ITEM], np.int64)
        self.boost: Floats = np.zeros(1, np.float32)

    def add(self, updates: list[ItemUpdate]) -> None:
        """Count a batch's item updates of items, by their keys; they are flushed to the store at the next refresh."""
        for update in updates if self._on else ():
            item_id = item_of(update.item_id)
            if (weight := _WEIGHT.get(update.action, 0)) and self._counts(item_id):
                self._counted[item_id] = self._counted.get(item_id, 0) + weight

    async def refresh(self) -> None:
        """Flush the counts and read the top again when what is held is older than a few seconds."""
        if not self._on or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _REFRESH_S
        most = dict(
            nlargest(_MAX_FLUSHED, self._counted.items(), key=itemgetter(1))
        )  # the rest when it has become more
        await self._store.add_trending(_bucket(), most)
        self._subtract(most)
        top = await self._store.trending(_bucket(), _BUCKETS, _TOP)
        self.ranking = [item_hash(item_id) for item_id, _ in top]
        if top:
            self.items = np.array(self.ranking, np.int64)
            weights = np.array([weight for _, weight in top], np.float32)
            self.boost = (_BOOST * np.log2(1 + weights)).astype(np.float32)

    def _subtract(self, flushed: dict[str, int]) -> None:
        for item_id, count in flushed.items():
            remaining = self._counted.pop(item_id) - count  # some was counted while the rest was flushed
            if remaining:
                self._counted[item_id] = remaining
        if len(self._counted) > _MAX_PENDING:
            self._counted = dict(nlargest(_MAX_PENDING // 2, self._counted.items(), key=itemgetter(1)))


def _bucket() -> int:
    return int(time.time()) // _BUCKET_S
