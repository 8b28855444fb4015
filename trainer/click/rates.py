"""Average click rates of items, smoothed towards the shop's: the baseline to beat, and what the click head corrects."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace.arrays import Floats, Ints

_SMOOTHING: Final = 20.0
"""Impressions' worth of the shop's average that every item starts with."""
_FOLDS: Final = 5


class Rates(NamedTuple):
    """Logits of smoothed click rates: of each item, and of the shop as a whole."""

    item: Floats  # [N]
    shop: float


def click_rates(row: Ints, clicked: Floats, items: int) -> Rates:
    """Count clicks. `row` [M] are item rows of what was shown, `clicked` [M] is 0 or 1."""
    base = float((clicked.sum() + 1) / (len(clicked) + 20))
    shown = np.bincount(row, minlength=items)
    hits = np.bincount(row, clicked, minlength=items)
    return Rates(logit((hits + _SMOOTHING * base) / (shown + _SMOOTHING)).astype(np.float32), float(logit(base)))


def out_of_fold(row: Ints, shown_in: Ints, clicked: Floats, items: int) -> Floats:
    """For what was shown, its item's rate counted without its own fold, lest a click predict itself. [M] logits"""
    prior = np.zeros(len(row), np.float32)
    for fold in range(_FOLDS):
        inside = shown_in % _FOLDS == fold
        prior[inside] = click_rates(row[~inside], clicked[~inside], items).item[row[inside]]
    return prior


def logit(p: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Log odds."""
    return np.asarray(np.log(p / (1 - p)))
