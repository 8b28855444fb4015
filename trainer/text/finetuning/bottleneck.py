"""Bottleneck adapters: a small residual network after each dense output of a transformer block."""

from typing import Final, cast

from torch import Tensor, nn
from torch.nn import functional as F

from headrace.errors import UsageError

_OUTPUT: Final = "output.dense"
"""Where a BERT-like block writes: once after attention, once after its feed-forward network."""


class Bottleneck(nn.Module):
    """A dense layer and, after it, h + up(gelu(down(h))); starts as the dense layer alone.

    After Houlsby et al., "Parameter-Efficient Transfer Learning for NLP" (2019).
    """

    def __init__(self, dense: nn.Linear, width: int) -> None:
        super().__init__()
        self.dense = dense
        self.down = nn.Linear(dense.out_features, width, device=dense.weight.device)
        self.up = nn.Linear(width, dense.out_features, device=dense.weight.device)
        nn.init.normal_(self.down.weight, std=0.02)
        for start in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(start)

    def forward(self, x_NSD: Tensor) -> Tensor:
        """The dense layer's output, adapted. [N, S, E]"""
        hidden = self.dense(x_NSD)
        return hidden + self.up(F.gelu(self.down(hidden)))


def add_bottlenecks(backbone: nn.Module, width: int) -> None:
    """Put an adapter after every dense output of the backbone, in place; only adapters need gradients.

    Raises:
        UsageError: the backbone has no such output.
    """
    backbone.requires_grad_(False)
    found = [name for name, _ in backbone.named_modules() if name.endswith(_OUTPUT)]
    if not found:
        raise UsageError("adapters need a BERT-like encoder with layers named …output.dense; choose another method")
    for name in found:
        parent = backbone.get_submodule(name.rpartition(".")[0])
        parent.dense = Bottleneck(cast(nn.Linear, parent.dense), width)
