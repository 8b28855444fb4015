"""Logistic regression of a click table: a weight a category, hard to beat where each is seen seldom."""

from typing import Final

import numpy as np
from scipy.sparse import csr_array
from sklearn.linear_model import SGDClassifier

from streams.messages.wire import Floats, Ints
from trainer.click.losses import log_loss
from trainer.click.rows import Rows

_PULLS: Final = (1e-6, 5e-6, 2e-5, 1e-4)
"""Strengths of the ridge penalty that are tried."""
_SEEN: Final = 1_500_000
_PASSES: Final = (3, 15)
"""Fewest and most passes; between them as many as show `_SEEN` rows."""


class ClickLinear:
    """Averaged stochastic gradient descent on one-hot categories and numbers.

    Attributes:
        pull: strength of the ridge penalty.
    """

    def __init__(self, sizes: Ints, train: Rows, stop: Rows | float, seed: int) -> None:
        """Fit.

        Args:
            sizes: categories of each field, [F].
            stop: rows that decide how strong the penalty is, or its strength.
        """
        self._offset = np.cumsum(sizes) - sizes
        self._width = int(sizes.sum())
        x = self._take(train)
        if isinstance(stop, Rows):
            tried = [(_fit(x, train.clicked, pull, seed), pull) for pull in _PULLS]
            held_back = self._take(stop)
            losses = [log_loss(model.decision_function(held_back), stop.clicked) for model, _ in tried]
            self._model, self.pull = tried[int(np.argmin(losses))]
        else:
            self._model, self.pull = _fit(x, train.clicked, stop, seed), stop

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


def _fit(x: csr_array, clicked: Floats, pull: float, seed: int) -> SGDClassifier:
    passes = int(np.clip(_SEEN // len(clicked), *_PASSES))
    return SGDClassifier(
        loss="log_loss", alpha=pull, average=True, max_iter=passes, tol=0.0, n_iter_no_change=passes, random_state=seed
    ).fit(x, clicked)
