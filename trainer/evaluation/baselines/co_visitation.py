"""Co-visitation: what is wanted in the same visit, what follows within a few events, what the next visits bring.

Counts fade with the time between the two events, and the three kinds are mixed.
"""

from typing import Final

import numpy as np
from msgspec import Struct
from scipy.sparse import csr_array

from headrace.arrays import Ints
from trainer.data.shop import Sequences
from trainer.evaluation.baselines.neighbours import Neighbours, strongest, with_scaled_diagonal
from trainer.evaluation.baselines.popularity import Popularity
from trainer.evaluation.baselines.visits import DAY_MS, Recency, incidence, shopper_of, visit_of

_LAGS: Final = 10
_LAG_DECAY: Final = 0.8
_VISITS_AHEAD: Final = 4


class CoVisitation(Struct, frozen=True):
    """Shares of what went with an item, each column discounted for items that go with everything."""

    together: float = 1.0
    following: float = 1.0
    next_visits: float = 3.0
    discount: float = 0.25  # power of the candidate's own count that divides
    repeat: float = 10.0  # how much more it counts that an item comes again
    neighbours: int = 1_000
    fading_days: float = 60.0  # half-life of a pair by the time between its events
    half_life_days: float = 120.0
    place_decay: float = 1.0

    def fit(self, past: Sequences, items: int, split: int) -> Neighbours:
        """Count pairs of the wanted events before `split` (ms)."""
        parts = (
            (self.together, _together(past, items)),
            (self.following, _following(past, items, self.fading_days)),
            (self.next_visits, _next_visits(past, items, self.fading_days)),
        )
        total_NN = csr_array((items, items), dtype=np.float32)
        for weight, count_NN in parts:
            total_NN = total_NN + weight * _shares(count_NN)
        demand_N = Popularity().fit(past, items, split).demand_N
        close_NN = csr_array(total_NN * (np.maximum(demand_N, 1.0) ** -self.discount)[None, :])
        recency = Recency(self.half_life_days, self.place_decay)
        close_NN = strongest(with_scaled_diagonal(close_NN, self.repeat), self.neighbours)
        return Neighbours(close_NN, demand_N, recency)


def _together(past: Sequences, items: int) -> csr_array:
    """Visits that hold both; an item with itself does not count."""
    held = incidence(visit_of(past), past.item, items)
    both_NN = csr_array(held.T @ held)
    both_NN.setdiag(0)
    return both_NN


def _following(past: Sequences, items: int, fading_days: float) -> csr_array:
    """Ordered pairs of one shopper up to ten events apart."""
    total_NN = csr_array((items, items), dtype=np.float32)
    shopper_T = shopper_of(past)
    for lag in range(1, min(_LAGS, len(past.item) - 1) + 1):
        same = shopper_T[lag:] == shopper_T[:-lag]
        days = (past.time[lag:] - past.time[:-lag])[same] / DAY_MS
        weight = (_LAG_DECAY ** (lag - 1) * 0.5 ** (days / fading_days)).astype(np.float32)
        pair = (past.item[:-lag][same], past.item[lag:][same])
        total_NN = total_NN + csr_array((weight, pair), shape=(items, items))
    return csr_array(total_NN)


def _next_visits(past: Sequences, items: int, fading_days: float) -> csr_array:
    """From each item of a visit to each of the shopper's next visits; repeats count."""
    visit_T = visit_of(past)
    held = incidence(visit_T, past.item, items)
    first: Ints = np.unique(visit_T, return_index=True)[1]
    time_V, shopper_V = past.time[first], shopper_of(past)[first]
    ahead_VV = csr_array((len(first), len(first)), dtype=np.float32)
    for step in range(1, min(_VISITS_AHEAD, len(first) - 1) + 1):
        at = np.flatnonzero(shopper_V[step:] == shopper_V[:-step])
        weight = 0.5 ** ((time_V[at + step] - time_V[at]) / DAY_MS / fading_days)
        ahead_VV = ahead_VV + csr_array((weight.astype(np.float32), (at, at + step)), shape=ahead_VV.shape)
    return csr_array(held.T @ ahead_VV @ held)


def _shares(count_NN: csr_array) -> csr_array:
    """Each row divided by its sum."""
    total_N = np.asarray(count_NN.sum(axis=1)).ravel()
    return csr_array(count_NN * (1 / np.maximum(total_N, 1e-12))[:, None])
