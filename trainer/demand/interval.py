"""The 80 % interval of a count forecast."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.arrays import DEMAND_QUANTILES, Floats

_LOW, _HIGH, _ONE_SIDED = (DEMAND_QUANTILES.index(level) for level in (0.1, 0.9, 0.8))
_HALF: Final = 0.5
"""A quantile below half a unit is rounded to none."""


def interval80(quantiles: Floats) -> tuple[Floats, Floats]:
    """Lower and upper end of the narrowest interval that holds 80 %.

    Where more than a tenth of all windows sell nothing, zero is the lower end, and nothing lies below it: the whole
    fifth is left out above, from the quantile 0.8. Else a tenth is left out on either side.

    Args:
        quantiles: [..., Q]
    """
    low, high = quantiles[..., _LOW], quantiles[..., _HIGH]
    from_zero = low < _HALF
    return np.where(from_zero, 0, low), np.where(from_zero, quantiles[..., _ONE_SIDED], high)


def coverage80(quantiles: Floats, target: Floats) -> float:
    """Share of the targets inside the 80 % interval, its ends rounded to counts. quantiles [..., Q], target [...]"""
    lower, upper = interval80(quantiles)
    inside: NDArray[np.bool_] = (target >= np.round(lower)) & (target <= np.round(upper))
    return float(inside.mean())
