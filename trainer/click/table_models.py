"""The models of a click table, fitted twice: to learn how long to learn, then on every labelled row for as long."""

from typing import Final, NamedTuple

import numpy as np

from streams.messages.wire import Floats, Ints
from trainer.click.network import ClickNetwork
from trainer.click.network_fit import ROUNDS, fit_network, log_loss, score
from trainer.click.rows import Rows
from trainer.click.trees import ClickTrees
from trainer.practice.fit import Tell

_FEW_ROWS: Final = 300_000
_NETWORKS: Final = 2
"""Networks whose mean counts, of different seeds; on more rows than the above one is as good and half the time."""


class Course(NamedTuple):
    """How long each model learnt: validation losses of the networks, round by round up to the best, and trees."""

    verdicts: list[list[float]]
    trees: int


class TableModels(NamedTuple):
    """Fitted models."""

    networks: list[ClickNetwork]
    trees: ClickTrees

    def score(self, rows: Rows) -> Floats:
        """Log odds by the networks, in the mean, and by the trees. [M, 2]"""
        networks = np.mean([score(network, rows) for network in self.networks], axis=0)
        return np.stack([networks, self.trees.score(rows)], axis=1).astype(np.float32)


def fit_judged(sizes: Ints, train: Rows, stop: Rows, seed: int, tell: Tell) -> tuple[TableModels, Course]:
    """Fit until rows that are not learnt from, `stop`, are predicted no better."""
    networks: list[ClickNetwork] = []
    verdicts: list[list[float]] = []
    for number in range(_NETWORKS if len(train.clicked) <= _FEW_ROWS else 1):
        told: list[float] = []

        def judge(network: ClickNetwork, told: list[float] = told) -> float:
            told.append(log_loss(score(network, stop), stop.clicked))
            return told[-1]

        networks.append(fit_network(sizes, train, judge, ROUNDS, seed + number, tell))
        verdicts.append(told[: int(np.argmin(told)) + 1])
    trees = ClickTrees(sizes, train, stop, seed)
    return TableModels(networks, trees), Course(verdicts, trees.count)


def fit_again(sizes: Ints, train: Rows, course: Course, seed: int, tell: Tell) -> TableModels:
    """Fit on other rows for as long as before. The verdicts are replayed, so the learning rate falls where it fell."""
    networks: list[ClickNetwork] = []
    for number, verdicts in enumerate(course.verdicts):
        replay = iter(verdicts)
        networks.append(fit_network(sizes, train, lambda _, r=replay: next(r), len(verdicts) - 1, seed + number, tell))
    return TableModels(networks, ClickTrees(sizes, train, course.trees, seed))
