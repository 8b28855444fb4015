"""Logistic regression of a click table: a weight a category, hard to beat where each is seen seldom."""

import warnings
from typing import Final

import numpy as np
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from headrace.arrays import Floats, Ints
from trainer.click.losses import log_loss
from trainer.click.tables.rows import Rows

_SPREADS: Final = (0.02, 0.1, 0.5, 2.0)
"""Variances of a weight before anything is seen (the inverse ridge penalty) that are tried."""
_STEPS: Final = 60
_MOST_ROWS: Final = 500_000
"""It learns from the newest rows only, for time."""


class ClickLinear:
    """Ridge logistic regression on one-hot categories and numbers.

    Attributes:
        spread: variance of a weight before anything is seen.
    """

    def __init__(self, sizes: Ints, train: Rows, stop: Rows | float) -> None:
        """Fit.

        Args:
            sizes: categories of each field, [F].
            stop: rows that decide how far weights may spread, or that spread.
        """
        self._offset = np.cumsum(sizes) - sizes
        self._width = int(sizes.sum())
        train = train.newest(_MOST_ROWS)
        x = self._take(train)
        if isinstance(stop, Rows):
            tried = [(_fit(x, train.clicked, spread), spread) for spread in _SPREADS]
            held_back = self._take(stop)
            losses = [log_loss(model.decision_function(held_back), stop.clicked) for model, _ in tried]
            self._model, self.spread = tried[int(np.argmin(losses))]
        else:
            self._model, self.spread = _fit(x, train.clicked, stop), stop

    def score(self, rows: Rows) -> Floats:
        """Log odds of clicks. [M]"""
        return np.asarray(self._model.decision_function(self._take(rows)), np.float32)

    def _take(self, rows: Rows) -> csr_array:
        """One-hot categories, then numbers. [M, sum of sizes + G]"""
        count, fields = rows.category.shape
        numbers = rows.number.shape[1]
        places = np.arange(self._width, self._width + numbers)
        column = np.concatenate([rows.category + self._offset, np.broadcast_to(places, (count, numbers))], axis=1)
        value = np.concatenate([np.ones((count, fields), np.float32), rows.number], axis=1)
        start = np.arange(count + 1) * (fields + numbers)
        shape = (count, self._width + numbers)
        return csr_array((value.ravel(), column.astype(np.int32).ravel(), start.astype(np.int32)), shape=shape)


def _fit(x: csr_array, clicked: Floats, spread: float) -> LogisticRegression:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the last steps would change no digit that counts
        return LogisticRegression(C=spread, max_iter=_STEPS).fit(x, clicked)
