"""How high what was wanted stands: hit rate, NDCG, reciprocal rank and recall, from ranks or from lists.

Shape letters: U moments, N items, K places of a list. A tie counts against the model: of items that score alike the
wanted one stands last (pessimistic ranks), so that a constant score earns nothing.

Sources: Järvelin and Kekäläinen 2002 for NDCG; Krichene and Rendle 2020 on why the whole catalogue is ranked.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Reals = NDArray[np.floating]
Flags = NDArray[np.bool_]

_LEAST_BYTES: Final = 4
"""Of a score: in bfloat16 or half precision thousands of items tie, and a tie is lost."""
NOWHERE: Final = 1 << 62
"""The rank of what is not in a list at all."""


class Accuracy(Struct, frozen=True):
    """Means over moments, each between 0 and 1, of what is found among the first `k`."""

    k: int
    moments: int
    hit: float  # share of moments with at least one wanted item found
    ndcg: float  # found items weighted 1 / log2(1 + rank), over the best that could be
    mrr: float  # 1 / rank of the first wanted item found
    recall: float  # share of a moment's wanted items that are found


def pessimistic_ranks(score_UN: Reals, target_U: Ints) -> Ints:
    """The rank of each moment's target among all items, from 1; -inf leaves an item out of the race. [U]

    Raises:
        ValueError: the scores are of less than 32 bits.
    """
    if score_UN.dtype.itemsize < _LEAST_BYTES:
        raise ValueError(f"rank by float32 or better, not {score_UN.dtype}: coarse scores tie")
    own_U1 = np.take_along_axis(score_UN, target_U[:, None], axis=1)
    # What is not below the target stands before it: ties, NaN and the target itself.
    return np.count_nonzero(~(score_UN < own_U1), axis=1).astype(np.int64)


def hits(list_UK: Ints, wanted: Sequence[frozenset[int]]) -> Flags:
    """Which places of each list hold something wanted; an item counts once. [U, K]"""
    hit_UK = np.zeros(list_UK.shape, np.bool_)
    for row, (listed, some) in enumerate(zip(list_UK, wanted, strict=True)):
        _, first = np.unique(listed, return_index=True)
        hit_UK[row, first] = np.isin(listed[first], list(some))
    return hit_UK


def accuracy_of_ranks(rank_U: Ints, k: int) -> Accuracy:
    """One wanted item a moment, whose rank among all items is known, counted from 1."""
    found = rank_U <= k
    gain = np.where(found, 1 / np.log2(1.0 + rank_U), 0.0)
    hit = _mean(found)
    return Accuracy(k, len(rank_U), hit, _mean(gain), _mean(np.where(found, 1 / rank_U, 0.0)), hit)


def accuracy_of_lists(hit_UK: Flags, wanted_U: Ints) -> Accuracy:
    """Any number of wanted items a moment.

    Args:
        hit_UK: which places of each list hold something wanted.
        wanted_U: how many items were wanted; 1 at least.
    """
    k = hit_UK.shape[1]
    discount_K = 1 / np.log2(2.0 + np.arange(k))
    best_U = np.append(0.0, np.cumsum(discount_K))[np.minimum(wanted_U, k)]
    any_U: Flags = np.count_nonzero(hit_UK, axis=1) > 0
    first_U = hit_UK.argmax(axis=1) + 1 if k else np.ones(len(hit_UK))
    return Accuracy(
        k,
        len(hit_UK),
        _mean(any_U),
        _mean(hit_UK @ discount_K / np.maximum(best_U, 1e-12)),
        _mean(np.where(any_U, 1 / first_U, 0.0)),
        _mean(hit_UK.sum(axis=1) / wanted_U),
    )


def _mean(values: Reals | Flags) -> float:
    return float(values.mean()) if len(values) else 0.0
