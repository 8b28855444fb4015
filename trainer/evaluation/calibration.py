"""Whether probabilities are what they say: expected calibration error and the bins of a reliability diagram."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

BINS: Final = 15
"""As Guo et al. 2017 ("On Calibration of Modern Neural Networks") and most papers since."""

Probabilities = NDArray[np.floating]


class Bins(NamedTuple):
    """Forecasts grouped by size, empty groups left out. K groups."""

    size: NDArray[np.int64]  # [K]  forecasts
    forecast: NDArray[np.float64]  # [K]  mean probability
    clicked: NDArray[np.float64]  # [K]  share of clicks

    @property
    def error(self) -> float:
        """Expected calibration error: mean distance of forecast and share of clicks, groups weighted by their size."""
        gap = np.abs(self.forecast - self.clicked)
        return float((gap * self.size).sum() / self.size.sum())


def equal_width(probability_M: Probabilities, clicked_M: NDArray[np.floating], bins: int = BINS) -> Bins:
    """Groups of equal width between 0 and 1: the usual expected calibration error."""
    group = np.minimum((probability_M * bins).astype(np.int64), bins - 1)
    return _bins(group, probability_M, clicked_M, bins)


def equal_mass(probability_M: Probabilities, clicked_M: NDArray[np.floating], bins: int = BINS) -> Bins:
    """Groups of equal count: it sees errors among small probabilities, where nearly all of a shop's lie."""
    group = np.zeros(len(probability_M), np.int64)
    group[np.argsort(probability_M, kind="stable")] = np.arange(len(probability_M)) * bins // len(probability_M)
    return _bins(group, probability_M, clicked_M, bins)


def _bins(group: NDArray[np.int64], probability: Probabilities, clicked: NDArray[np.floating], bins: int) -> Bins:
    count = np.bincount(group, minlength=bins)
    there = count > 0
    forecast, share = (np.bincount(group, of, minlength=bins)[there] / count[there] for of in (probability, clicked))
    return Bins(count[there], forecast, share)
