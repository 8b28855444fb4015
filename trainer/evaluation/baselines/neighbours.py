"""Items score by the items of the history: an item-to-item matrix applied to the history's weights.

What every baseline of this kind shares. Where nothing is known of a shopper, and among items of equal score,
popularity decides.
"""

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from msgspec import Struct
from scipy.sparse import csr_array

from headrace.arrays import Floats, Ints
from trainer.data.score_requests import Case
from trainer.data.shop import Sequences
from trainer.evaluation.baselines.visits import Recency, dense, histories

_HINT: Final = 1e-5
"""Of popularity beside the best score of a moment: enough to order what ties, too little to change anything else."""


class Neighbours(Struct, frozen=True):
    """A fitted baseline."""

    close_NN: csr_array  # row: an item of the history; column: what it speaks for
    demand_N: Floats
    recency: Recency

    def scores(self, sequences: Sequences, cases: Sequence[Case]) -> Floats:
        """Scores of all items at each moment. [B, N]"""
        score_BN = dense(histories(sequences, cases, len(self.demand_N), self.recency) @ self.close_NN)
        best_B1 = score_BN.max(axis=1, keepdims=True, initial=0.0)
        hint_N = self.demand_N / max(float(self.demand_N.max(initial=0.0)), 1e-12)
        hint_BN = _HINT * np.where(best_B1 > 0, best_B1, 1.0) * hint_N
        return np.asarray(score_BN + hint_BN, np.float32)


def strongest(close_NN: csr_array, k: int) -> csr_array:
    """Keep the k largest entries of each row."""
    edges: Ints = np.asarray(close_NN.indptr, np.int64)
    value: Floats = np.asarray(close_NN.data, np.float32)
    rows = itertools.pairwise(edges.tolist())
    # A row at a time: sorting all entries at once takes ten times as long as finding the best of each row.
    kept = [
        begin + np.argpartition(-value[begin:end], k - 1)[:k] if end - begin > k else np.arange(begin, end)
        for begin, end in rows
    ]
    at = np.concatenate(kept) if kept else np.zeros(0, np.int64)
    ends = np.cumsum([0, *map(len, kept)])
    return csr_array((value[at], close_NN.indices[at], ends), shape=(len(kept), len(kept)))


def with_diagonal(close_NN: csr_array, value: float) -> csr_array:
    """The matrix with `value` from each item to itself: what a repeat counts."""
    now_N: Floats = np.asarray(close_NN.diagonal(), np.float32)
    return _with_own(close_NN, np.float32(value) - now_N)


def with_scaled_diagonal(close_NN: csr_array, factor: float) -> csr_array:
    """The matrix with each item's entry for itself so many times as large."""
    now_N: Floats = np.asarray(close_NN.diagonal(), np.float32)
    return _with_own(close_NN, np.float32(factor - 1) * now_N)


def _with_own(close_NN: csr_array, added_N: Floats) -> csr_array:
    n = len(added_N)
    return csr_array(close_NN + csr_array((added_N, np.arange(n), np.arange(n + 1)), shape=(n, n)))
