"""Turn scores into probabilities that hold: a logistic regression of clicks on logits, fitted on rows held back for it.

With one logit a row this is Platt scaling (Platt 1999) of log odds, with several it also weights them.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from headrace.arrays import Floats

_STEPS: Final = 50
_TRUST: Final = 20.0
"""How strongly the map is held to the mean of the logits, in rows' worth of evidence: with few rows it stays there."""
_STRETCHES: Final = 10
_SURE: Final = 0.9


class Calibration(NamedTuple):
    """The log odds of a click are `logits @ weight + bias`."""

    weight: NDArray[np.float64]  # [K]
    bias: float

    def apply(self, logit_MK: NDArray[np.floating]) -> NDArray[np.float64]:
        """Calibrated log odds. [M]"""
        return logit_MK @ self.weight + self.bias


def fit_calibration(logit_MK: Floats, clicked_M: Floats, rate: float | None = None) -> Calibration:
    """Fit by Newton's method; where rows are few or of one label only, close to the mean of the logits.

    Args:
        rate: the share of clicks to calibrate to (`expected_rate`); None for that of the rows themselves.
    """
    count = logit_MK.shape[1]
    x = np.concatenate([logit_MK, np.ones((len(logit_MK), 1))], axis=1).astype(np.float64)
    weight = _weights(clicked_M, rate)
    start = np.append(np.full(count, 1 / count), 0.0)
    pull = np.append(np.full(count, _TRUST), _TRUST / 2)
    w = start.copy()
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-x @ w))
        slope = x.T @ (weight * (p - clicked_M)) + pull * (w - start)
        curve = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(pull)
        step = np.linalg.solve(curve, slope)
        w = w - step
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(np.asarray(w[:-1], np.float64), float(w[-1]))


def expected_rate(earlier_M: Floats, held_back_K: Floats) -> float:
    """The click rate that held-back rows are samples of, told by their own clicks and by those before them.

    A few thousand rows give their rate to half a percentage point only, and a map fitted to that is off by as much for
    good. A random-effects estimate (DerSimonian and Laird 1986): as far as the rates of stretches have not wandered by
    more than chance explains nine times of ten, the rate is that of all rows.
    """
    everything = np.concatenate([earlier_M, held_back_K]).astype(np.float64)
    overall, own = everything.mean(), float(held_back_K.mean())
    stretches = max(2, min(_STRETCHES, len(everything) // max(1, len(held_back_K))))
    rates = [stretch.mean() for stretch in np.array_split(everything, stretches)]
    explained = chi2.ppf(_SURE, stretches - 1) / (stretches - 1) * overall * (1 - overall) * stretches / len(everything)
    wandering = max(0.0, np.var(rates, ddof=1) - explained)
    chance = overall * (1 - overall) / len(held_back_K)
    return float((wandering * own + chance * overall) / max(wandering + chance, 1e-12))


def _weights(clicked_M: Floats, rate: float | None) -> NDArray[np.float64]:
    """Weights that give rows the share of clicks `rate`, of mean 1. [M]"""
    own = float(clicked_M.mean())
    if rate is None or own in {0.0, 1.0}:
        return np.ones(len(clicked_M))
    return np.where(clicked_M == 1, rate / own, (1 - rate) / (1 - own))
