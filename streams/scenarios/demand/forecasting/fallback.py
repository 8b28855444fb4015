"""Quantiles without the model: the item's own level and daily shape, with the spread of a Poisson count."""

from statistics import NormalDist
from typing import Final

import numpy as np

from feature_repo.basics.season import season
from headrace.arrays import DEMAND_HISTORY, DEMAND_QUANTILES, DemandAnswer, DemandTensors, Floats

_NORMAL: Final = np.array([NormalDist().inv_cdf(level) for level in DEMAND_QUANTILES], np.float32)
_SHRINK: Final = 2.0
"""Seasons that the overall level weighs, beside the windows one, two, … seasons before."""


def fallback_quantiles(tensors: DemandTensors, horizon: int) -> DemandAnswer:
    """Forecast `horizon` windows from recent means; shapes as the model's answer."""
    rate = _rates(tensors.units, season(int(tensors.window_ms[0])), horizon)[:, :, None]
    # Wilson and Hilferty: the cube root of a gamma-like count is nearly normal.
    shape = np.maximum(rate, 1e-3)
    root = 1 - 1 / (9 * shape) + _NORMAL / (3 * np.sqrt(shape))
    return DemandAnswer(np.maximum(rate * np.maximum(root, 0) ** 3, 0).astype(np.float32))


def _rates(units: Floats, lag: int, horizon: int) -> Floats:
    """Expected units of the next Z windows; what lies before the first sale says nothing. [G, Z]"""
    known = units.cumsum(1) > 0
    calm = np.minimum(units, _cap(units))
    level = calm.sum(1) / np.maximum(known.sum(1), lag)
    rates = np.empty((len(units), horizon), np.float32)
    for z in range(horizon):
        earlier = np.s_[:, DEMAND_HISTORY - lag + z % lag :: -lag]
        rates[:, z] = (calm[earlier].sum(1) + _SHRINK * level) / (known[earlier].sum(1) + _SHRINK)
    return rates


def _cap(units: Floats) -> Floats:
    """Above it a window is an exception that should not raise the level. [G, 1]"""
    selling = np.maximum((units > 0).sum(1, keepdims=True), 1)
    return 2 + 3 * (np.sqrt(units).sum(1, keepdims=True) / selling) ** 2
