"""What this shopper had before, most and latest first, then what is popular: hard to beat where purchases repeat.

Source: Li et al. 2023, "A next basket recommendation reality check" (G-TopFreq after P-TopFreq).
"""

import numpy as np
from msgspec import Struct
from scipy.sparse import csr_array

from trainer.data.shop import Sequences
from trainer.evaluation.baselines.neighbours import Neighbours, with_diagonal
from trainer.evaluation.baselines.popularity import Popularity
from trainer.evaluation.baselines.visits import Recency


class Personal(Struct, frozen=True):
    """Own items with recency."""

    half_life_days: float = 90.0
    place_decay: float = 1.0
    popularity_half_life_days: float = 30.0

    def fit(self, past: Sequences, items: int, split: int) -> Neighbours:
        """Nothing but popularity is learnt."""
        demand_N = Popularity(self.popularity_half_life_days).fit(past, items, split).demand_N
        itself_NN = with_diagonal(csr_array((items, items), dtype=np.float32), 1.0)
        return Neighbours(itself_NN, demand_N, Recency(self.half_life_days, self.place_decay))
