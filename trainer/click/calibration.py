"""Turn scores into probabilities that hold: a logistic regression of clicks on logits, fitted on rows held back for it.

With one logit a row this is Platt scaling (Platt 1999) of log odds, with several it also weights them.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.messages.wire import Floats

_STEPS: Final = 50
_TRUST: Final = 20.0
"""How strongly the map is held to the mean of the logits, in rows' worth of evidence: with few rows it stays there."""


class Calibration(NamedTuple):
    """The log odds of a click are `logits @ weight + bias`."""

    weight: NDArray[np.float64]  # [K]
    bias: float

    def apply(self, logit_MK: Floats) -> NDArray[np.float64]:
        """Calibrated log odds. [M]"""
        return logit_MK @ self.weight + self.bias


def fit_calibration(logit_MK: Floats, clicked_M: Floats) -> Calibration:
    """Fit by Newton's method; where rows are few or of one label only, close to the mean of the logits."""
    count = logit_MK.shape[1]
    x = np.concatenate([logit_MK, np.ones((len(logit_MK), 1))], axis=1).astype(np.float64)
    start = np.append(np.full(count, 1 / count), 0.0)
    pull = np.append(np.full(count, _TRUST), 1.0)
    w = start.copy()
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-x @ w))
        slope = x.T @ (p - clicked_M) + pull * (w - start)
        curve = (x * (p * (1 - p))[:, None]).T @ x + np.diag(pull)
        step = np.linalg.solve(curve, slope)
        w = w - step
        if np.abs(step).max() < 1e-9:
            break
    return Calibration(np.asarray(w[:-1], np.float64), float(w[-1]))
