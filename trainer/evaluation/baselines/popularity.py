"""The same list for everyone: what was wanted most, over all time or lately."""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from headrace.arrays import Floats
from trainer.data.score_requests import Case
from trainer.data.shop import Sequences
from trainer.evaluation.baselines.visits import DAY_MS


class Popularity(Struct, frozen=True):
    """Demand with exponential fading as of the split."""

    half_life_days: float = float("inf")

    def fit(self, past: Sequences, items: int, split: int) -> "FittedPopularity":
        """Count wanted events before `split` (ms)."""
        weight_T = 0.5 ** ((split - past.time) / DAY_MS / self.half_life_days)
        return FittedPopularity(np.bincount(past.item, weight_T, minlength=items).astype(np.float32))


class FittedPopularity(Struct, frozen=True):
    """Knows how much each item is in demand."""

    demand_N: Floats

    def scores(self, sequences: Sequences, cases: Sequence[Case]) -> Floats:
        """The same row for each moment. [B, N]"""
        return np.tile(self.demand_N, (len(cases), 1))
