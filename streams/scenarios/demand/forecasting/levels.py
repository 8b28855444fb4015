"""A forecast's quantiles: at other levels, and as moments."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.arrays import DEMAND_QUANTILES, Floats

Doubles = NDArray[np.float64]

_LEVELS: Final = np.array(DEMAND_QUANTILES)
_EDGES: Final = np.concatenate([[0.0], (_LEVELS[1:] + _LEVELS[:-1]) / 2, [1.0]])
_MASS: Final = np.diff(_EDGES)
"""Probability around each quantile, so that their weighted sum is the mean."""
_LOWEST, _LOW, _HIGH, _HIGHEST = (DEMAND_QUANTILES.index(level) for level in (0.01, 0.1, 0.9, 0.99))
_OUTER: Final = 2.0 * 2.326348  # standard deviations between the quantiles 0.01 and 0.99
_INNER: Final = 2.0 * 1.281552  # and between 0.1 and 0.9


def at_levels(quantiles: Floats, levels: Sequence[float]) -> Doubles:
    """The forecast at other levels, by straight lines between its own. [..., Q] to [..., len(levels)]"""
    wide = quantiles.astype(np.float64)
    after = np.clip(np.searchsorted(_LEVELS, levels), 1, len(_LEVELS) - 1)
    share = (np.array(levels) - _LEVELS[after - 1]) / (_LEVELS[after] - _LEVELS[after - 1])
    return wide[..., after - 1] * (1 - share) + wide[..., after] * share


def mean_and_spread(quantiles: Floats) -> tuple[Doubles, Doubles]:
    """Mean and standard deviation of each forecast count. [..., Q] to [...] twice"""
    wide = quantiles.astype(np.float64)
    outer = (wide[..., _HIGHEST] - wide[..., _LOWEST]) / _OUTER
    inner = (wide[..., _HIGH] - wide[..., _LOW]) / _INNER
    return wide @ _MASS, np.maximum(outer, inner)
