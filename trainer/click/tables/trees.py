"""Boosted trees of a click table: strong on numbers and rates, where the network is strong on who meets what."""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from headrace.arrays import Floats, Ints
from trainer.click.tables.rows import Rows

_MOST_TREES: Final = 500
_PATIENCE: Final = 20
_MOST_ROWS: Final = 250_000
"""Trees learn from the newest rows only, since more cost minutes and hardly move a split of a few numbers."""
_FEW: Final = 32
"""Categories that a field has at most to be given to the trees as such; of others they get the click rates."""


class ClickTrees:
    """Gradient boosting over numbers, rates and small fields.

    Attributes:
        count: how many trees did best.
    """

    def __init__(self, sizes: Ints, train: Rows, stop: Rows | int, seed: int) -> None:
        """Fit.

        Args:
            sizes: categories of each field, [F].
            stop: rows that decide how many trees there are, or their number.
        """
        self._small = np.flatnonzero(sizes <= _FEW)
        with threadpool_limits(torch.get_num_threads()):
            self._fit(train.newest(_MOST_ROWS), stop, seed)

    def _fit(self, train: Rows, stop: Rows | int, seed: int) -> None:
        if isinstance(stop, int):
            self._trees = _boosting(train, stop, False, seed).fit(self._take(train), train.clicked)
            self.count = stop
            return
        self._trees = _boosting(train, _MOST_TREES, True, seed)
        self._trees.fit(self._take(train), train.clicked, X_val=self._take(stop), y_val=stop.clicked)
        self.count = max(1, int(np.argmax(self._trees.validation_score_)))

    def score(self, rows: Rows) -> Floats:
        """Log odds of clicks. [M]"""
        return np.asarray(self._trees.decision_function(self._take(rows)), np.float32)

    def _take(self, rows: Rows) -> NDArray[np.float32]:
        return np.concatenate([rows.number, rows.category[:, self._small].astype(np.float32)], axis=1)


def _boosting(train: Rows, trees: int, stop_early: bool, seed: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=trees,
        min_samples_leaf=int(np.clip(len(train.clicked) // 200, 5, 50)),
        l2_regularization=1.0,
        early_stopping=stop_early,  # pyright: ignore[reportArgumentType]  (its stub knows "auto" alone)
        n_iter_no_change=_PATIENCE,
        random_state=seed,
    )
