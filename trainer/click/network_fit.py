"""Fit the click network of a table, and score rows with it."""

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from streams.messages.wire import Floats, Ints
from trainer.click.network import ClickNetwork
from trainer.click.rates import logit
from trainer.click.rows import Rows
from trainer.practice.fit import Plan, Tell, fit
from trainer.practice.precision import mixed

_LEARNING_RATE: Final = 1e-3
ROUNDS: Final = 40
_PATIENCE: Final = 3
_MOST_A_BATCH, _LEAST_STEPS = 4096, 100
_SCORED: Final = 16_384
_PULL: Final = 1e-3
"""Weight of the mean square of the embeddings looked up: a category is what it is known to be, or it is average."""
_CPU: Final = torch.device("cpu")


def fit_network(
    sizes: Ints, train: Rows, verdict: Callable[[ClickNetwork], float], rounds: int, seed: int, tell: Tell
) -> ClickNetwork:
    """Fit by rounds of half the rows, since click models learn the rows by heart soon after having seen them once.

    Args:
        sizes: categories of each field.
        verdict: the loss that decides when to stop.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    base = float(np.clip(train.clicked.mean(), 1e-4, 1 - 1e-4))
    network = ClickNetwork(sizes, train.number.shape[1], float(logit(base))).to(_device())
    batch = int(np.clip(len(train.clicked) // _LEAST_STEPS, 32, _MOST_A_BATCH))
    order = np.zeros(0, np.int64)

    def losses() -> Iterator[Tensor]:
        nonlocal order
        if len(order) == 0:
            order = rng.permutation(len(train.clicked))
        half, order = (
            np.split(order, [-(-len(train.clicked) // 2)]) if len(order) == len(train.clicked) else (order, order[:0])
        )
        for rows in np.array_split(half, max(1, len(half) // batch)):
            yield _loss(network, train, rows)

    steps = max(1, len(train.clicked) // 2 // batch)
    plan = Plan("click network", _LEARNING_RATE, rounds, _PATIENCE, steps, weight_decay=0.01)
    fit(network, losses, lambda: verdict(network), plan, tell)
    return network


def score(network: ClickNetwork, rows: Rows) -> Floats:
    """Log odds of clicks, in full precision. [M]"""
    parts = [np.zeros(0, np.float32)]
    with torch.inference_mode():
        for at in range(0, len(rows.clicked), _SCORED):
            category, number = _move(rows, slice(at, at + _SCORED))
            parts.append(network(category, number)[0].float().cpu().numpy())
    return np.concatenate(parts)


def log_loss(logit_M: NDArray[np.floating], clicked_M: Floats) -> float:
    """Mean negative log likelihood of what happened, in nats."""
    return float(np.mean(np.logaddexp(0, logit_M.astype(np.float64)) - logit_M * clicked_M))


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
