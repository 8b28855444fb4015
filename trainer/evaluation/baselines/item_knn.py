"""Item neighbours: items are alike when the same shoppers, or the same visits, hold both.

Source: Sarwar et al. 2001; the shrinkage is Bell and Koren's (2007), the asymmetry Aiolli's (2013).
"""

import numpy as np
from msgspec import Struct
from scipy.sparse import csr_array

from trainer.data.shop import Sequences
from trainer.evaluation.baselines.neighbours import Neighbours, strongest, with_diagonal
from trainer.evaluation.baselines.popularity import Popularity
from trainer.evaluation.baselines.visits import Recency, incidence, shopper_of, visit_of


class ItemKnn(Struct, frozen=True):
    """Cosine with shrinkage, over the shopper's history with recency."""

    unit: str = "shopper"  # or "visit": what must hold both items
    shrinkage: float = 10.0
    asymmetry: float = 0.7  # 0.5 is the cosine; above it the history's item is normalised more than the candidate
    neighbours: int = 1_000
    repeat: float = 10.0  # what an item speaks for itself
    half_life_days: float = 120.0
    place_decay: float = 1.0

    def fit(self, past: Sequences, items: int, split: int) -> Neighbours:
        """Compare all items of the wanted events before `split` (ms)."""
        row_T = shopper_of(past) if self.unit == "shopper" else visit_of(past)
        held = incidence(row_T, past.item, items)
        both_NN = csr_array(held.T @ held)
        count_N = both_NN.diagonal()
        i = np.repeat(np.arange(items), np.diff(both_NN.indptr))
        j = both_NN.indices
        scale = (count_N**self.asymmetry)[i] * (count_N ** (1 - self.asymmetry))[j] + self.shrinkage
        # An item is no neighbour of itself; what it says for itself is a setting.
        close = np.where(i == j, 0.0, both_NN.data / scale)
        close_NN = strongest(csr_array((close, j, both_NN.indptr), shape=both_NN.shape), self.neighbours)
        demand_N = Popularity().fit(past, items, split).demand_N
        recency = Recency(self.half_life_days, self.place_decay)
        return Neighbours(with_diagonal(close_NN, self.repeat), demand_N, recency)
