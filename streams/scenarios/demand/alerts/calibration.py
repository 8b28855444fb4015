"""The anomaly score from which an alert opens, learnt online so that false alarms come at the configured rate.

Every window's anomaly score is counted. Where the rate is one that the counted windows can speak of, the threshold is
the anomaly score that this share of them exceeds. A rarer rate starts from the forecast's own distribution, raised a
little by the slope of the counted tail (peaks over threshold, the scale from the median excess, since true anomalies
are among the counted and lie far out), and as far as it takes where more windows exceed it than chance explains: so a
shop whose demand is heavier-tailed than its forecasts sounds some false alarms, and then few.
"""

from math import expm1, log, log1p, log10
from typing import Final

_GROWTH: Final = 0.05
"""Width of a bin in the logarithm of 1 + anomaly score: fine where rates are read off, else wide."""
BINS: Final = 115
"""Up to an anomaly score of about 300, a probability that a float can still hold."""
_PRIOR: Final = 500.0
"""Windows that are taken to have been counted before the first, as surprising as the forecast's distribution says."""
_MEMORY: Final = 200_000
"""Counts are halved beyond so many windows, so that what was long ago does not decide for ever."""
_TAIL: Final = 0.002
_MIN_EXPECTED: Final = 5.0
"""Windows expected beyond the threshold from which on the counted ones decide alone."""
_MAX_BY_CHANCE: Final = 10.0
"""So many windows beyond a threshold that should have let through next to none are no accident."""
_MAX_RAISE: Final = 1.1
_STRICT_POWER: Final = 2.0
UNUSUAL: Final = 3.0
"""After an anomaly score like this an item's windows are not counted for a while: one event is counted once, even where
no alert was opened for it."""
UNUSUAL_WINDOWS: Final = 24
"""Windows of that while."""


def bin_of(anomaly_score: float) -> int:
    """The bin of an anomaly score, -log10 of a probability."""
    return min(int(log1p(anomaly_score) / _GROWTH), BINS - 1)


def edge(place: float) -> float:
    """The anomaly score with which a bin begins; between bins, in between."""
    return expm1(place * _GROWTH)


def threshold(counts: list[int], rate: float) -> float:
    """The anomaly score that a share `rate` of windows exceeds when nothing is wrong.

    Args:
        counts: windows by bin of their anomaly score; empty when there were none.
    """
    exceeding = _exceeding(counts)
    total = exceeding[0]
    if rate * (total - _PRIOR) >= _MIN_EXPECTED:
        return edge(_first(exceeding, rate * total))
    by_forecast = -log10(rate)
    raised = min(max(_extrapolated(exceeding, rate), by_forecast), _MAX_RAISE * by_forecast)
    return max(raised, edge(_first(exceeding, _MAX_BY_CHANCE)))


def strict_threshold(rate: float) -> float:
    """An anomaly score that even a crude forecast may be believed: its probability is the rate's square."""
    return -_STRICT_POWER * log10(rate)


def note(counts: list[int], anomaly_scores: list[float], empty: int) -> None:
    """Count windows: the judged by anomaly score, and the empty ones of items that sell too seldom to be judged."""
    if not counts:
        counts.extend([0] * BINS)
    for anomaly_score in anomaly_scores:
        counts[bin_of(anomaly_score)] += 1
    counts[0] += empty
    if sum(counts) > _MEMORY:
        counts[:] = [count // 2 for count in counts]


def _exceeding(counts: list[int]) -> list[float]:
    """Windows at or above each bin's lower edge, those of the prior among them."""
    found, above = [0.0] * BINS, 0
    for b in range(BINS - 1, -1, -1):
        above += counts[b] if counts else 0
        found[b] = above + _PRIOR * 10 ** -edge(b)
    return found


def _extrapolated(exceeding: list[float], rate: float) -> float:
    """Where the rate is reached if the tail goes on as it began."""
    start = _first(exceeding, _TAIL * exceeding[0])
    share = exceeding[start] / exceeding[0]
    scale = (edge(_at(exceeding, start, exceeding[start] / 2)) - edge(start)) / log(2)
    return edge(start) + scale * log(max(share / rate, 1.0))


def _first(exceeding: list[float], wanted: float) -> int:
    """The first bin that so many windows exceed at most."""
    return next((b for b in range(BINS) if exceeding[b] <= wanted), BINS - 1)


def _at(exceeding: list[float], start: int, wanted: float) -> float:
    """Where, in bins, so many windows exceed; by straight lines in the logarithm."""
    for b in range(start + 1, BINS):
        if exceeding[b] <= wanted:
            before, after = log(exceeding[b - 1]), log(exceeding[b])
            return b - 1 + (before - log(wanted)) / (before - after)
    return float(BINS)
