"""How well a trained model recommends, beside popularity: asked as online, by the same scorer."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray

from feature_repo.actions import ACTION_CODE
from feature_repo.identity import NO_ITEM
from streams.messages.wire import HISTORY, TOP_K, Ints
from trainer.data.asking import Case, as_tensors, request_of
from trainer.data.shop import Shop
from trainer.data.windows import NO_TARGET, next_items
from trainer.publishing.serving import Trained

_MOST_CASES: Final = 5_000
_ROWS: Final = 256
_LATELY_MS: Final = 31 * 86_400_000


class Recall(Struct, frozen=True):
    """Mean share of relevant items among the first 20."""

    cases: int
    model: float
    popular: float  # most wanted over all of training
    popular_lately: float  # most wanted in training's last 31 days


def measure_next_item(trained: Trained, shop: Shop, split: int) -> Recall:
    """Recall@20 of the next wanted item, for targets from `split` (ms) on; the event's own item is excluded."""
    return measure(trained, shop, next_item_cases(shop, split), split)


def next_item_cases(shop: Shop, split: int) -> list[Case]:
    """One case for each event that is followed by another wanted item at or after `split`; evenly thinned."""
    sequences = shop.sequences
    targets = next_items(sequences)
    at = np.flatnonzero((targets.item != NO_TARGET) & (targets.time >= split))
    at = at[:: max(1, -(-len(at) // _MOST_CASES))]
    owner = np.searchsorted(sequences.start, at, side="right") - 1
    begin = np.maximum(sequences.start[owner], at + 1 - HISTORY)
    hashes = shop.item_hash
    return [
        Case(
            slice(int(b), int(i) + 1),
            int(sequences.time[i]),
            int(hashes[sequences.item[i]]),
            frozenset([int(hashes[targets.item[i]])]),
        )
        for b, i in zip(begin, at, strict=True)
    ]


def basket_cases(shop: Shop, since: int) -> list[Case]:
    """One case for each basket bought from `since` (ms) on: all that a shopper buys at one moment.

    Known is what the shopper did before the basket; a shopper's first basket is left out; nothing is excluded.
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


def measure(trained: Trained, shop: Shop, cases: Sequence[Case], split: int) -> Recall:
    """Recall@20 of the model and of popularity before `split` (ms), on the same cases."""
    if not cases:
        return Recall(0, 0.0, 0.0, 0.0)
    model = [
        _recall(items, case)
        for at in range(0, len(cases), _ROWS)
        for items, case in zip(_recommend(trained, shop, cases[at : at + _ROWS]), cases[at : at + _ROWS], strict=True)
    ]
    rankings = (_most_wanted(shop, 0, split), _most_wanted(shop, split - _LATELY_MS, split))
    popular, lately = (np.mean([_recall(r[r != c.exclude][:TOP_K], c) for c in cases]) for r in rankings)
    return Recall(len(cases), float(np.mean(model)), float(popular), float(lately))


def _recall(items: Ints, case: Case) -> float:
    return sum(int(item) in case.relevant for item in items) / len(case.relevant)


def _recommend(trained: Trained, shop: Shop, cases: Sequence[Case]) -> Ints:
    asked = request_of(shop, cases, trained.model.config.width)
    with torch.inference_mode():
        return trained.scorer().score(as_tensors(asked))["rec_item"].numpy()


def _most_wanted(shop: Shop, since: int, until: int) -> NDArray[np.int64]:
    sequences = shop.sequences
    counted = sequences.wanted & (sequences.time >= since) & (sequences.time < until)
    counts = np.bincount(sequences.item[counted], minlength=len(shop.item_hash))
    return shop.item_hash[np.argsort(-counts, kind="stable")[: TOP_K + 1]]
