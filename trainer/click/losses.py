"""Log loss, in float64 and without ever taking the logarithm of zero."""

import numpy as np
from numpy.typing import NDArray


def log_loss(logit_M: NDArray[np.floating], clicked_M: NDArray[np.floating]) -> float:
    """Mean negative log likelihood of what happened, in nats."""
    logit = logit_M.astype(np.float64)
    return float(np.mean(np.logaddexp(0, logit) - logit * clicked_M))
