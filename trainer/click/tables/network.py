"""The click network of a table: an embedding a category, DCNv2 crosses, factorised pairs and a multilayer perceptron.

M impressions, F fields, G numbers, E width of an embedding.
"""

from typing import Final

import torch
from torch import Tensor, nn

from headrace.arrays import Ints
from trainer.click.tables.cross import CrossLayers
from trainer.click.tables.fields import UNKNOWN

_EMBEDDING: Final = 16
_RANK: Final = 32
_LAYERS: Final = 2
_HIDDEN: Final = (256, 128)
_DROPOUT: Final = 0.2
_VALUE_DROPOUT: Final = 0.1
"""Share of cells that training shows as unknown, so that the unknown categories are learnt."""


class ClickNetwork(nn.Module):
    """Log odds of a click from categories and numbers."""

    offset: Tensor

    def __init__(self, sizes_F: Ints, numbers: int, base: float) -> None:
        super().__init__()
        sizes = torch.from_numpy(sizes_F)
        self.register_buffer("offset", sizes.cumsum(0) - sizes)
        self.embedding = nn.Embedding(int(sizes.sum()), _EMBEDDING)
        self.weight = nn.Embedding(int(sizes.sum()), 1)
        width = len(sizes_F) * _EMBEDDING + numbers
        self.cross = CrossLayers(width, _RANK, _LAYERS)
        first, second = _HIDDEN
        self.deep = nn.Sequential(
            nn.Linear(width, first),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(first, second),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
        )
        self.last = nn.Linear(width + second, 1)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.zeros_(self.weight.weight)
        nn.init.zeros_(self.last.weight)
        nn.init.constant_(self.last.bias, base)

    def forward(self, category_MF: Tensor, number_MG: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [M], and the embeddings that they came from [M, F, E]."""
        if self.training:
            unknown = torch.rand(category_MF.shape, device=category_MF.device) < _VALUE_DROPOUT
            category_MF = category_MF.masked_fill(unknown, UNKNOWN)
        row = category_MF + self.offset
        x_MFE = self.embedding(row)
        x_MW = torch.cat([x_MFE.flatten(1), number_MG], dim=1)
        both = self.last(torch.cat([self.cross(x_MW), self.deep(x_MW)], dim=1)).squeeze(1)
        pairs = (x_MFE.sum(dim=1).square() - x_MFE.square().sum(dim=1)).sum(dim=1) / 2
        return both.float() + pairs.float() + self.weight(row).sum(dim=(1, 2)), x_MFE
