"""How surprising a count is under a forecast.

A forecast's quantiles give a mean and a spread; the count is held against the negative binomial distribution with that
mean and at least that spread. Quantiles alone would not do: at a rate of one sale a day every sale lies above the 90 %
quantile.
"""

from bisect import bisect_left
from math import erfc, exp, inf, log, log1p, sqrt
from typing import Final, NamedTuple

import numpy as np

from headrace.arrays import DEMAND_QUANTILES, DEMAND_SPAN, Floats
from streams.scenarios.demand.forecasting.levels import Doubles, mean_and_spread

_LEVEL_DOUBT: Final = 0.2
"""Standard deviation of the forecast's level itself, as a share of it: what a model gets wrong about busy items."""
_TOGETHER: Final = 0.5
"""Correlation of neighbouring windows' forecast errors."""
_EXACT: Final = 400
"""Up to this count, tails are summed term by term; beyond it a smooth approximation is as good."""
_SUMMED: Final = 1e-12
_LEAST: Final = 1e-15
_LEAST_OF_ALL: Final = 1e-300
_HIGH, _HIGHEST = (DEMAND_QUANTILES.index(level) for level in (0.95, 0.99))
_STEEPEST: Final = 690.0  # e to the power of -it is the least positive float, nearly
_RAREST: Final = 0.02
"""No item is believed to sell less than this in a window: history is too short to know."""


class Moments(NamedTuple):
    """What is believed of a count.

    Attributes:
        high: the count that one in a hundred exceeds; infinite where no quantiles are known.
        fall: units beyond it over which the probability falls by e.
    """

    mean: float
    variance: float
    high: float = inf
    fall: float = 1.0


def one_window(quantiles: Floats) -> list[Moments]:
    """Moments of each row's first window. quantiles [G, Z, Q]"""
    mean, spread = mean_and_spread(quantiles[:, 0])
    return _moments(mean, spread**2, quantiles[:, :1])


def all_windows(quantiles: Floats) -> list[Moments]:
    """Moments of each row's sum over the windows judged together. quantiles [G, Z, Q]"""
    together = quantiles[:, :DEMAND_SPAN]
    mean, spread = mean_and_spread(together)
    apart, in_step = (spread**2).sum(1), spread.sum(1) ** 2
    return _moments(mean.sum(1), (1 - _TOGETHER) * apart + _TOGETHER * in_step, together)


def expected_counts(mean: float) -> Moments:
    """Moments of a count of which only the mean is known."""
    mean = max(mean, _RAREST)
    return Moments(mean, mean * (1 + mean * _LEVEL_DOUBT**2))


def _moments(mean: Doubles, variance: Doubles, quantiles: Floats) -> list[Moments]:
    mean = np.maximum(mean, _RAREST)
    floor = mean * (1 + mean * _LEVEL_DOUBT**2)
    high = quantiles[..., _HIGHEST].astype(np.float64)
    fall = np.maximum((high - quantiles[..., _HIGH]) / log(5), 1.0)  # from one in twenty to one in a hundred
    columns = (mean, np.maximum(variance, floor), high.sum(1), np.sqrt((fall**2).sum(1)))
    return [Moments(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def tail_above(count: int, moments: Moments) -> float:
    """Probability of `count` or more."""
    if count <= 0:
        return 1.0
    smooth = count > _EXACT or moments.mean > _EXACT
    above = _smooth_above(count - 0.5, moments) if smooth else 1.0 - _sum_to(count - 1, moments)
    if moments.high == inf:
        return max(above, _LEAST)
    # Sums of floats that are nearly 1 say no more about what is left; the forecast's own tail goes on.
    return max(min(max(above, _SUMMED), _beyond(count, moments)), _LEAST_OF_ALL)


def tail_below(count: int, moments: Moments) -> float:
    """Probability of `count` or fewer."""
    if count > _EXACT or moments.mean > _EXACT:
        return max(1.0 - _smooth_above(count + 0.5, moments), _LEAST)
    return max(min(_sum_to(count, moments), 1.0), _LEAST)


def interval(moments: Moments) -> tuple[int, int]:
    """The smallest and largest count between the 1 % tails."""
    mean, variance = moments.mean, moments.variance
    lower = bisect_left(range(int(mean) + 1), True, key=lambda count: tail_below(count, moments) >= 0.01)
    upper = max(lower, int(mean))
    step = 1 + int(sqrt(variance)) // 8
    while tail_above(upper + 1, moments) > 0.01:
        upper += step
    return lower, upper


def _sum_to(count: int, moments: Moments) -> float:
    """Probability of at most `count`, summed from the negative binomial's (at its edge the Poisson's) terms."""
    mean, variance = moments.mean, moments.variance
    excess = max(variance / mean - 1, 1e-9)
    size = mean / excess
    failure = excess / (1 + excess)
    term = exp(-size * log1p(excess))
    total = term
    for k in range(count):
        term *= (size + k) / (k + 1) * failure
        total += term
    return total


def _beyond(count: int, moments: Moments) -> float:
    """The same by the forecast's own tail, which for items that seldom sell is lighter than the negative binomial's."""
    past = (count - 1 - moments.high) / moments.fall
    return 0.01 * exp(-min(past, _STEEPEST)) if past > 0 else 1.0


def _smooth_above(x: float, moments: Moments) -> float:
    mean, variance = moments.mean, moments.variance
    if x <= 0:
        return 1.0
    shape = max(mean * mean / variance, 1e-6)
    z = ((x / mean) ** (1 / 3) - (1 - 1 / (9 * shape))) * 3 * sqrt(shape)
    return erfc(z / sqrt(2)) / 2
