"""How rare a statistic is, learnt online: the share of earlier ones so large, and beyond them a fitted tail."""

from bisect import bisect_left
from math import log, log10
from typing import Final

from streams.scenarios.anomaly.sorted_window import SortedWindow

_LEAST_PAST: Final = 30
"""Values seen before any is called rare."""
_LEAST_TOP: Final = 10
_MOST: Final = 30.0


class Tail:
    """The upper tail of a statistic.

    Above the threshold that the top share exceeds, excesses are taken to be exponential (peaks over threshold: the
    generalised Pareto distribution with shape 0, Pickands 1975), so that a new record is as surprising as it is far
    out.
    """

    def __init__(self, top_share: float) -> None:
        self._top_share = top_share
        self._past = SortedWindow()

    def anomaly_score(self, value: float) -> float:
        """-log10 of the probability of `value` or more, 0 to 30, by what came before it; then it counts as past."""
        anomaly_score = self._of(value)
        self._past.add(value)
        return anomaly_score

    def _of(self, value: float) -> float:
        past = self._past.values
        n = len(past)
        if n < _LEAST_PAST:
            return 0.0
        top = past[-max(_LEAST_TOP, int(n * self._top_share)) :]
        threshold = top[0]
        if value <= threshold:
            return -log10((n - bisect_left(past, value) + 1) / (n + 1))
        mean_excess = sum(x - threshold for x in top) / len(top)
        scale = max(mean_excess, 1e-9 * abs(threshold), 1e-12)
        return min(-log10(len(top) / (n + 1)) + (value - threshold) / scale / log(10), _MOST)
