"""A small network with dropout on data that takes a few batches, fitted as every head is."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from trainer.training_loop.fit import Fitted, Plan, fit
from trainer.training_loop.processes import mine
from trainer.training_loop.run import Run

BATCHES = 7
PLAN = Plan("small network", 0.02, 4, 4, BATCHES, weight_decay=0.01)


class Broken(Exception):
    """The power went."""


class Outcome(NamedTuple):
    weights: Tensor
    fitted: Fitted
    losses: list[float]


def run_fit(plan: Plan = PLAN, run: Run | None = None, break_after: int | None = None, seed: int = 3) -> Outcome:
    """Fit anew; `break_after` counts the batches after which the process dies."""
    torch.manual_seed(seed)
    x, y = torch.randn(BATCHES * 8, 5), torch.randn(BATCHES * 8, 1)
    module = nn.Sequential(nn.Linear(5, 16), nn.GELU(), nn.Dropout(0.3), nn.Linear(16, 1))
    rng = np.random.default_rng(seed)
    seen: list[float] = []

    def losses() -> Iterator[Tensor]:
        for rows in mine(np.array_split(rng.permutation(len(x)), BATCHES)):
            loss = mse_loss(module(x[rows]), y[rows])
            if loss.requires_grad:
                seen.append(float(loss.detach()))
            if break_after is not None and len(seen) > break_after:
                raise Broken
            yield loss

    def validate() -> float:
        with torch.no_grad():
            return float(mse_loss(module(x[:20]), y[:20]))

    fitted = fit(module, losses, validate, plan, lambda *_: None, run=run, rng=rng)
    return Outcome(torch.cat([p.detach().flatten() for p in module.parameters()]), fitted, seen)
