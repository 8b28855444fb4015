"""Beyond accuracy: whom a model serves and what it shows, so that one that only repeats best sellers is seen.

Shape letters: U lists, K places, N items, P pairs of a moment and an item wanted then (one a list where one item is
wanted), D width of item vectors.

Sources: coverage and Gini, Ge et al. 2010 and Adomavicius and Kwon 2012; novelty, Zhou et al. 2010 and Vargas and
Castells 2011; intra-list diversity, Smyth and McClure 2001 and Ziegler et al. 2005.
"""

from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trainer.evaluation.ranking import Flags, Ints, Reals, accuracy_of_ranks

NOTHING: Final = -1
"""In a list: no item, where fewer remain than places."""
_HEAD: Final = 0.5
_TAIL: Final = 0.8
_ACTIVITY: Final = (("new", 0, 1), ("few", 2, 5), ("medium", 6, 20), ("many", 21, 1 << 62))
_AT_ONCE: Final = 1_024


class Slice(Struct, frozen=True):
    """A model's accuracy on a part of the pairs; 0 where there are none."""

    name: str
    pairs: int
    hit: float
    ndcg: float


class BeyondAccuracy(Struct, frozen=True):
    """What lists of K items show of a catalogue of N, and how accuracy divides."""

    k: int
    items: int
    coverage: float  # share of the catalogue that stands in at least one list
    gini: float  # of exposure over the catalogue: 0 all items alike, 1 one item takes all
    novelty: float  # bits: mean of -log2 of a shown item's share of training events
    diversity: float  # mean over lists of 1 - cosine between two of its items
    alike_by: str  # what tells items apart there: only figures of one kind of vectors compare
    by_popularity: list[Slice]  # of the wanted item: head, torso, tail, unseen
    by_activity: list[Slice]  # of the shopper: new, few, medium, many events known


def beyond_accuracy(
    list_UK: Ints,
    rank_P: Ints,
    target_P: Ints,
    count_N: Ints,
    history_P: Ints,
    vector_ND: Reals,
    alike_by: str = "texts",
) -> BeyondAccuracy:
    """Measure lists.

    Args:
        list_UK: item rows, best first; NOTHING where fewer remain.
        rank_P: rank of each wanted item, from 1; beyond K is not found.
        target_P: row of each wanted item.
        count_N: training events of each item.
        history_P: events known of the shopper who wanted.
        vector_ND: what tells items apart.
        alike_by: what that is: "texts" (sentence vectors), "attributes", or "item vectors" (the model's own).
    """
    k, items = list_UK.shape[1], len(count_N)
    shown_N = np.bincount(list_UK[list_UK != NOTHING], minlength=items)
    return BeyondAccuracy(
        k,
        items,
        coverage(shown_N),
        gini(shown_N),
        novelty(list_UK, count_N),
        diversity(list_UK, vector_ND),
        alike_by,
        _slices(popularity_groups(count_N)[target_P], ("head", "torso", "tail", "unseen"), rank_P, k),
        _slices(activity_groups(history_P), tuple(name for name, _, _ in _ACTIVITY), rank_P, k),
    )


def coverage(shown_N: Ints) -> float:
    """Share of items that were shown at all."""
    return float((shown_N > 0).mean()) if len(shown_N) else 0.0


def gini(shown_N: Ints) -> float:
    """Gini coefficient of exposure: 0 where all items are shown alike, 1 - 1/N where one takes all."""
    total, n = shown_N.sum(), len(shown_N)
    if total == 0:
        return 0.0
    weight_N = 2.0 * np.arange(1, n + 1) - n - 1
    return float((weight_N * np.sort(shown_N)).sum() / (n * total))


def novelty(list_UK: Ints, count_N: Ints) -> float:
    """Mean self-information of what is shown, in bits; one event is added to each item, so that none is infinite."""
    share_N = (count_N + 1.0) / (count_N.sum() + len(count_N))
    shown = list_UK[list_UK != NOTHING]
    return float(-np.log2(share_N)[shown].mean()) if len(shown) else 0.0


def diversity(list_UK: Ints, vector_ND: Reals) -> float:
    """Mean over lists of at least two items of the mean of 1 - cosine over its pairs; a zero vector is like nothing."""
    length_N = np.linalg.norm(vector_ND, axis=1, keepdims=True)
    unit_ND = np.where(length_N > 0, vector_ND / np.maximum(length_N, 1e-12), 0.0)
    parts: list[NDArray[np.floating]] = []
    for at in range(0, len(list_UK), _AT_ONCE):
        list_BK = list_UK[at : at + _AT_ONCE]
        present_BK = list_BK != NOTHING
        vector_BKD = unit_ND[list_BK] * present_BK[:, :, None]
        # The square of a sum is the sum over all ordered pairs, an item with itself included.
        squares_B = (vector_BKD**2).sum(axis=(1, 2))
        alike_B = (vector_BKD.sum(axis=1) ** 2).sum(axis=1) - squares_B
        n_B = present_BK.sum(axis=1)
        parts.append(1 - alike_B[n_B > 1] / (n_B * (n_B - 1.0))[n_B > 1])
    every = np.concatenate(parts) if parts else np.zeros(0)
    return float(every.mean()) if len(every) else 0.0


def popularity_groups(count_N: Ints) -> Ints:
    """0 head: the most wanted items that together have half of the training events; 1 torso: the next 30 %; 2 tail:
    the rest; 3 unseen: no event. [N]
    """
    order = np.argsort(-count_N, kind="stable")
    before = np.cumsum(count_N[order]) - count_N[order]
    share = before / max(1, count_N.sum())
    group_N = np.empty(len(count_N), np.int64)
    group_N[order] = (share >= _HEAD).astype(np.int64) + (share >= _TAIL)
    return np.where(count_N > 0, group_N, 3)


def activity_groups(history_P: Ints) -> Ints:
    """0 new: at most 1 event known; 1 few: 2 to 5; 2 medium: 6 to 20; 3 many: more. [P]"""
    return np.searchsorted([least for _, least, _ in _ACTIVITY[1:]], history_P, side="right")


def _slices(group_P: Ints, names: tuple[str, ...], rank_P: Ints, k: int) -> list[Slice]:
    parts: list[Flags] = [group_P == group for group in range(len(names))]
    every = [accuracy_of_ranks(rank_P[part], k) for part in parts]
    return [Slice(name, a.moments, a.hit, a.ndcg) for name, a in zip(names, every, strict=True)]
