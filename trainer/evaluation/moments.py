"""Moments of a stream at which a list is asked for, and what was wanted then."""

from typing import Final

import numpy as np

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import HISTORY, Ints
from trainer.data.score_requests import Case
from trainer.data.shop import Shop
from trainer.data.windows import NO_TARGET, next_items

_MOST_CASES: Final = 5_000


def next_item_cases(shop: Shop, split: int) -> list[Case]:
    """One case for each event that is followed by another wanted item at or after `split`; evenly thinned."""
    targets = next_items(shop.sequences)
    at = np.flatnonzero((targets.item != NO_TARGET) & (targets.time >= split))
    return cases_of(shop, at[:: max(1, -(-len(at) // _MOST_CASES))], targets.item)


def cases_of(shop: Shop, at: Ints, target: Ints) -> list[Case]:
    """Cases of events, each of which wants one item.

    Args:
        at: places of the events.
        target: rows of the items that follow each event of the sequences. [T]
    """
    sequences = shop.sequences
    owner = np.searchsorted(sequences.start, at, side="right") - 1
    begin = np.maximum(sequences.start[owner], at + 1 - HISTORY)
    hashes = shop.item_hash
    return [
        Case(
            slice(int(b), int(i) + 1),
            int(sequences.time[i]),
            int(hashes[sequences.item[i]]),
            frozenset([int(hashes[target[i]])]),
        )
        for b, i in zip(begin, at, strict=True)
    ]


def basket_cases(shop: Shop, since: int) -> list[Case]:
    """One case for each basket bought from `since` (ms) on: all that a shopper buys at one moment.

    Known is what the shopper did before the basket; a shopper's first basket is left out; no item is the event's own.
    """
    sequences, hashes = shop.sequences, shop.item_hash
    bought = sequences.action == ACTION_CODE["purchase"]
    cases: list[Case] = []
    for begin, end in zip(sequences.start[:-1], sequences.start[1:], strict=True):
        time = sequences.time[begin:end]
        for now in np.unique(time[bought[begin:end] & (time >= since)]):
            first = begin + np.searchsorted(time, now)
            if first > begin:
                basket = begin + np.flatnonzero((time == now) & bought[begin:end])
                relevant = frozenset(int(h) for h in hashes[sequences.item[basket]])
                cases.append(Case(slice(max(begin, first - HISTORY), first), int(now), NO_ITEM, relevant))
    return cases
