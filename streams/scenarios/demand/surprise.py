"""How surprising a count is under a forecast.

A forecast's quantiles give a mean and a spread; the count is held against the negative binomial distribution with that
mean and at least that spread. Quantiles alone would not do: at a rate of one sale a day every sale lies above the 90 %
quantile.
"""

from bisect import bisect_left
from math import erfc, exp, log1p, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.messages.wire import DEMAND_QUANTILES, Floats

_MASS: Final = np.array([0.055, 0.245, 0.4, 0.245, 0.055])
"""Probability around each quantile, so that their weighted sum is the mean."""
_OUTER: Final = 2.0 * 2.326348  # standard deviations between the quantiles 0.01 and 0.99
_INNER: Final = 2.0 * 1.281552  # and between 0.1 and 0.9
_LEVEL_DOUBT: Final = 0.2
"""Standard deviation of the forecast's level itself, as a share of it: what a model gets wrong about busy items."""
_TOGETHER: Final = 0.5
"""Correlation of neighbouring windows' forecast errors."""
_EXACT: Final = 400
"""Up to this count, tails are summed term by term; beyond it a smooth approximation is as good."""
_LEAST: Final = 1e-15
_RAREST: Final = 0.02
"""No item is believed to sell less than this in a window: history is too short to know."""

assert len(_MASS) == len(DEMAND_QUANTILES)


class Moments(NamedTuple):
    """Mean and variance of a forecast count."""

    mean: float
    variance: float


def one_window(quantiles: Floats) -> list[Moments]:
    """Moments of each row's first window. quantiles [G, Z, Q]"""
    mean, spread = _mean_and_spread(quantiles[:, 0])
    return _with_doubt(mean, spread**2)


def all_windows(quantiles: Floats) -> list[Moments]:
    """Moments of each row's sum over its Z windows. quantiles [G, Z, Q]"""
    mean, spread = _mean_and_spread(quantiles)
    apart, in_step = (spread**2).sum(1), spread.sum(1) ** 2
    return _with_doubt(mean.sum(1), (1 - _TOGETHER) * apart + _TOGETHER * in_step)


def expected_counts(mean: float) -> Moments:
    """Moments of a count of which only the mean is known."""
    mean = max(mean, _RAREST)
    return Moments(mean, mean * (1 + mean * _LEVEL_DOUBT**2))


def _mean_and_spread(quantiles: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    wide = quantiles.astype(np.float64)
    outer = (wide[..., 4] - wide[..., 0]) / _OUTER
    inner = (wide[..., 3] - wide[..., 1]) / _INNER
    return wide @ _MASS, np.maximum(outer, inner)


def _with_doubt(mean: NDArray[np.float64], variance: NDArray[np.float64]) -> list[Moments]:
    mean = np.maximum(mean, _RAREST)
    floor = mean * (1 + mean * _LEVEL_DOUBT**2)
    both = zip(mean.tolist(), np.maximum(variance, floor).tolist(), strict=True)
    return [Moments(m, v) for m, v in both]


def tail_above(count: int, moments: Moments) -> float:
    """Probability of `count` or more."""
    if count <= 0:
        return 1.0
    if count > _EXACT or moments.mean > _EXACT:
        return max(_smooth_above(count - 0.5, moments), _LEAST)
    return max(1.0 - _sum_to(count - 1, moments), _LEAST)


def tail_below(count: int, moments: Moments) -> float:
    """Probability of `count` or fewer."""
    if count > _EXACT or moments.mean > _EXACT:
        return max(1.0 - _smooth_above(count + 0.5, moments), _LEAST)
    return max(min(_sum_to(count, moments), 1.0), _LEAST)


def interval(moments: Moments) -> tuple[int, int]:
    """The smallest and largest count between the 1 % tails."""
    mean, variance = moments
    lower = bisect_left(range(int(mean) + 1), True, key=lambda count: tail_below(count, moments) >= 0.01)
    upper = max(lower, int(mean))
    step = 1 + int(sqrt(variance)) // 8
    while tail_above(upper + 1, moments) > 0.01:
        upper += step
    return lower, upper


def _sum_to(count: int, moments: Moments) -> float:
    """Probability of at most `count`, summed from the negative binomial's (at its edge the Poisson's) terms."""
    mean, variance = moments
    excess = max(variance / mean - 1, 1e-9)
    size = mean / excess
    failure = excess / (1 + excess)
    term = exp(-size * log1p(excess))
    total = term
    for k in range(count):
        term *= (size + k) / (k + 1) * failure
        total += term
    return total


def _smooth_above(x: float, moments: Moments) -> float:
    mean, variance = moments
    if x <= 0:
        return 1.0
    shape = max(mean * mean / variance, 1e-6)
    z = ((x / mean) ** (1 / 3) - (1 - 1 / (9 * shape))) * 3 * sqrt(shape)
    return erfc(z / sqrt(2)) / 2
