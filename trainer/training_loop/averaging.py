"""An exponential moving average of weights, which often generalises better than the last step's.

After Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992, with the usual slow start, so
that the first steps do not hold it back.
"""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """Averages the parameters of a module that are fitted."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        """Args: decay: weight of the past, such as 0.999."""
        self._parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self._decay = decay
        self.weights: dict[str, Tensor] = {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after an optimizer step, counted from 1."""
        decay = min(self._decay, step / (step + 9))
        for name, parameter in self._parameters.items():
            self.weights[name].lerp_(parameter, 1 - decay)

    def load(self, weights: dict[str, Tensor]) -> None:
        """Go on from a checkpoint."""
        for name, value in weights.items():
            self.weights[name].copy_(value)

    @contextmanager
    def in_place(self) -> Generator[None]:
        """The module with the averaged weights, for as long as the block lasts."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, parameter in self._parameters.items():
            own = parameter.detach().clone()
            parameter.copy_(self.weights[name])
            self.weights[name].copy_(own)
