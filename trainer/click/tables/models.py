"""The models of a click table, fitted twice: to learn how long to learn, then on every labelled row for as long."""

from typing import Final, NamedTuple

import numpy as np

from headrace.arrays import Floats, Ints
from trainer.click.tables.linear import ClickLinear
from trainer.click.tables.network import ClickNetwork
from trainer.click.tables.network_fit import FitResult, fit_again, fit_judged, score
from trainer.click.tables.rows import Rows
from trainer.click.tables.trees import ClickTrees
from trainer.training_loop.fit import OnProgress

_FEW_ROWS: Final = 300_000
_NETWORKS: Final = 2
"""Networks of different seeds whose mean counts; on more rows than the above one has to do, for time."""


class TableModels(NamedTuple):
    """Fitted models."""

    networks: list[ClickNetwork]
    trees: ClickTrees
    linear: ClickLinear

    def score(self, rows: Rows) -> Floats:
        """Log odds by the networks, in the mean, by the trees and by the logistic regression. [M, 3]"""
        networks = np.mean([score(network, rows) for network in self.networks], axis=0)
        return np.stack([networks, self.trees.score(rows), self.linear.score(rows)], axis=1).astype(np.float32)


class FitLengths(NamedTuple):
    """How long each model learnt, and how far the regression's weights may spread."""

    networks: list[FitResult]
    trees: int
    spread: float


def fit_first(
    sizes: Ints, train: Rows, stop: Rows, seed: int, on_progress: OnProgress
) -> tuple[TableModels, FitLengths]:
    """Fit until rows that are not learnt from, `stop`, are predicted no better.

    Args:
        sizes: categories of each field, [F].
    """
    count = _NETWORKS if len(train.clicked) <= _FEW_ROWS else 1
    fits = [fit_judged(sizes, train, stop, seed + number, on_progress) for number in range(count)]
    trees = ClickTrees(sizes, train, stop, seed)
    linear = ClickLinear(sizes, train, stop)
    return TableModels([each.network for each in fits], trees, linear), FitLengths(fits, trees.count, linear.spread)


def fit_last(sizes: Ints, train: Rows, fit_lengths: FitLengths, seed: int, on_progress: OnProgress) -> TableModels:
    """Fit on other rows for as long as before."""
    networks = [
        fit_again(sizes, train, each, seed + number, on_progress) for number, each in enumerate(fit_lengths.networks)
    ]
    trees, linear = ClickTrees(sizes, train, fit_lengths.trees, seed), ClickLinear(sizes, train, fit_lengths.spread)
    return TableModels(networks, trees, linear)
