"""The training loop stops early and leaves the best weights."""

from collections.abc import Iterator

import torch
from torch import nn

from trainer.practice.fit import Plan, fit


def test_the_best_weights_come_back_and_patience_ends_the_fit():
    module = nn.Linear(1, 1)
    seen: list[float] = []

    def losses() -> Iterator[torch.Tensor]:
        yield module(torch.ones(1)).sum()

    def validate() -> float:
        seen.append(module.weight.item())
        return [5.0, 3.0, 2.0, 4.0, 4.0, 1.0][len(seen) - 1]

    fitted = fit(module, losses, validate, Plan("test", 0.1, 50, patience=2, steps_per_epoch=1), lambda *_: None)
    assert (fitted.loss, fitted.best_epoch, fitted.epochs) == (2.0, 2, 4)
    assert module.weight.item() == seen[2]
    assert not module.training
