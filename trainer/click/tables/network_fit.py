"""Fit the click network of a table, and score rows with it."""

import math
from collections.abc import Callable, Iterator
from itertools import chain, islice, repeat
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from headrace.arrays import Floats, Ints
from trainer.click.losses import log_loss
from trainer.click.rates import logit
from trainer.click.tables.network import ClickNetwork
from trainer.click.tables.rows import Rows
from trainer.training_loop.fit import Fitted, OnProgress, Plan, fit
from trainer.training_loop.precision import mixed

_LEARNING_RATE: Final = 1e-3
_ROUNDS: Final = 40
_PATIENCE, _PATIENCE_WITH_MANY = 4, 2
_MANY_ROWS: Final = 300_000
"""From here on a round is long enough to tell, and patience costs minutes."""
_AVERAGE: Final = 0.99
_WEIGHT_DECAY: Final = 0.01
_LEAST_A_BATCH, _MOST_A_BATCH, _LEAST_STEPS = 64, 4096, 100
_SCORED: Final = 16_384
_PULL: Final = 1e-3
"""Weight of the mean square of the embeddings looked up: a category is what it is known to be, or it is average."""
_CPU: Final = torch.device("cpu")


class FitResult(NamedTuple):
    """A network, and the course of its fit: each verdict on it, and how many rounds were best."""

    network: ClickNetwork
    verdicts: list[float]
    rounds: int


def fit_judged(sizes: Ints, train: Rows, stop: Rows, seed: int, on_progress: OnProgress) -> FitResult:
    """Fit until rows that are not learnt from, `stop`, are predicted no better.

    Args:
        sizes: categories of each field, [F].
    """
    verdicts: list[float] = []

    def judge(network: ClickNetwork) -> float:
        verdicts.append(log_loss(score(network, stop), stop.clicked))
        return verdicts[-1]

    network, fitted = _fit(sizes, train, judge, _ROUNDS, seed, on_progress)
    return FitResult(network, verdicts, fitted.best_epoch)


def fit_again(sizes: Ints, train: Rows, fit_result: FitResult, seed: int, on_progress: OnProgress) -> ClickNetwork:
    """Fit on other rows for as long. The verdicts are replayed, so that the learning rate falls where it fell."""
    replay = chain(fit_result.verdicts, repeat(math.inf))
    return _fit(sizes, train, lambda _: next(replay), fit_result.rounds, seed, on_progress)[0]


def score(network: ClickNetwork, rows: Rows) -> Floats:
    """Log odds of clicks, in full precision. [M]"""
    parts = [np.zeros(0, np.float32)]
    with torch.inference_mode():
        for at in range(0, len(rows.clicked), _SCORED):
            category, number = _move(rows, slice(at, at + _SCORED))
            parts.append(network(category, number)[0].float().cpu().numpy())
    return np.concatenate(parts)


def _fit(
    sizes: Ints, train: Rows, judge: Callable[[ClickNetwork], float], rounds: int, seed: int, on_progress: OnProgress
) -> tuple[ClickNetwork, Fitted]:
    """Fit by rounds of half the rows, since click models know the rows by heart soon after having seen them once."""
    torch.manual_seed(seed)
    count = len(train.clicked)
    base = float(np.clip(train.clicked.mean(), 1e-4, 1 - 1e-4))
    network = ClickNetwork(sizes, train.number.shape[1], float(logit(base))).to(_device())
    batch = int(np.clip(count // _LEAST_STEPS, _LEAST_A_BATCH, _MOST_A_BATCH))
    batches = _batches(count, batch, np.random.default_rng(seed))
    steps = max(_LEAST_STEPS // 2, count // 2 // batch)

    def losses() -> Iterator[Tensor]:
        for rows in islice(batches, steps):
            yield _loss(network, train, rows)

    patience = _PATIENCE if count < _MANY_ROWS else _PATIENCE_WITH_MANY
    plan = Plan("click network", _LEARNING_RATE, rounds, patience, steps, _WEIGHT_DECAY, average=_AVERAGE)
    return network, fit(network, losses, lambda: judge(network), plan, on_progress)


def _batches(count: int, size: int, rng: np.random.Generator) -> Iterator[Ints]:
    while True:
        yield from np.array_split(rng.permutation(count), max(1, count // size))


def _loss(network: ClickNetwork, train: Rows, rows: Ints) -> Tensor:
    category, number = _move(train, rows)
    with mixed(category.device):
        logit_M, x_MFE = network(category, number)
    clicked = torch.from_numpy(train.clicked[rows]).to(category.device)
    return F.binary_cross_entropy_with_logits(logit_M, clicked) + _PULL * x_MFE.square().sum(dim=(1, 2)).mean()


def _move(rows: Rows, some: "slice | Ints") -> tuple[Tensor, Tensor]:
    device = _device()
    return torch.from_numpy(rows.category[some]).to(device), torch.from_numpy(rows.number[some]).to(device)


def _device() -> torch.device:
    return torch.device("cuda") if torch.cuda.is_available() else _CPU
