"""Numbers of units as a planner reads them. Pure."""

from typing import Final

import numpy as np

from headrace.arrays import Floats
from streams.scenarios.demand.forecasting.levels import Doubles, mean_and_spread

_WHOLE: Final = 10.0
"""From here on units are whole: a tenth is less than what any forecast knows."""
_CHANCE_DECIMALS: Final = 3
_LEAST_MEAN: Final = 1e-9


def in_units(amount: Doubles) -> Doubles:
    """Amounts to one decimal below ten and whole above; what is ordered stays ordered. Any shape"""
    return np.where(amount < _WHOLE, amount.round(1), amount.round())


def mean_units(mean: float) -> float:
    """A mean likewise, and with two decimals below one: a fiftieth of a unit an hour is one every other day."""
    return round(mean, 2 if mean < 1 else 1) if mean < _WHOLE else float(round(mean))


def chance_of_any(quantiles: Floats) -> Doubles:
    """How likely one unit or more is, by the negative binomial distribution of each forecast. [..., Q] to [...]"""
    mean, spread = mean_and_spread(quantiles)
    mean = np.maximum(mean, _LEAST_MEAN)
    excess = np.maximum(spread**2 / mean - 1, _LEAST_MEAN)
    return (-np.expm1(-mean * np.log1p(excess) / excess)).round(_CHANCE_DECIMALS)
