"""Click rates of the values of many-valued fields, counted so that no click predicts itself."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from headrace.arrays import Floats, Ints
from trainer.click.rates import logit

_FOLDS: Final = 5
_SMOOTHING: Final = 10.0
"""Impressions' worth of the average rate that every value starts with."""

Counts = NDArray[np.float64]


def rates_within(value_M: Ints, clicked_M: Floats) -> Floats:
    """For training rows, their value's rate and count without the row's own fold. [M, 2]

    Folds are stretches of the file: what is left out is whole visits, as it is for the rows that come later.
    """
    fold = np.arange(len(value_M)) * _FOLDS // max(1, len(value_M))
    size = int(value_M.max()) + 1
    tallies = np.stack([_tally(value_M[fold == f], clicked_M[fold == f], size) for f in range(_FOLDS)])
    others = tallies.sum(axis=0) - tallies
    base = _base(clicked_M)
    return np.concatenate([_describe(others[f], base)[value_M[fold == f]] for f in range(_FOLDS)])


def rates_after(value_M: Ints, clicked_M: Floats, later_K: Ints) -> Floats:
    """For later rows, their value's rate and count over all training rows. [K, 2]"""
    size = int(max(value_M.max(), later_K.max())) + 1
    return _describe(_tally(value_M, clicked_M, size), _base(clicked_M))[later_K]


def _tally(value_M: Ints, clicked_M: Floats, size: int) -> Counts:
    """Impressions and clicks of each value. [2, V]"""
    shown, clicks = np.bincount(value_M, minlength=size), np.bincount(value_M, clicked_M, minlength=size)
    return np.stack([shown, clicks]).astype(np.float64)


def _describe(tally_2V: Counts, base: float) -> Floats:
    """Logit of the smoothed rate less the average's, and log of one more than the count, scaled down. [V, 2]"""
    shown, clicks = tally_2V
    rate = logit((clicks + _SMOOTHING * base) / (shown + _SMOOTHING)) - logit(base)
    return np.stack([rate, np.log1p(shown) / 5], axis=1).astype(np.float32)


def _base(clicked_M: Floats) -> float:
    return float((clicked_M.sum() + 1) / (len(clicked_M) + 2))
