"""Feature crosses of DCNv2 (Wang et al. 2021, "DCN V2: Improved Deep & Cross Network", low-rank form)."""

import torch
from torch import Tensor, nn


class CrossLayers(nn.Module):
    """x ← x0 ⊙ (U V x + b) + x, layer by layer: each raises the degree of the products of features by one."""

    def __init__(self, width: int, rank: int, layers: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Linear(width, rank, bias=False) for _ in range(layers))
        self.up = nn.ModuleList(nn.Linear(rank, width) for _ in range(layers))

    def forward(self, x_MW: Tensor) -> Tensor:
        """Cross features. [M, W]"""
        crossed = x_MW
        for down, up in zip(self.down, self.up, strict=True):
            crossed = torch.addcmul(crossed, x_MW, up(down(crossed)))
        return crossed
