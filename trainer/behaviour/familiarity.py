"""How far a text is from those that a version was trained with: what it makes of a strange one it does not trust.

N items, T width of a sentence vector, A texts that stand for the catalogue.
"""

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_MOST_TEXTS: Final = 2_048
_APART: Final = 0.05
"""Of the catalogue's items, the share that lies furthest from its nearest neighbour: they are strange to no shop."""


class Familiarity(nn.Module):
    """From 0, no nearer to any item than two items of the catalogue are to each other by chance, to 1, as near as half
    of the way from there to where the catalogue's most solitary items have their nearest neighbour.
    """

    texts: Tensor
    strange: Tensor
    familiar: Tensor

    def __init__(self, text_NT: Tensor) -> None:
        super().__init__()
        every = -(-len(text_NT) // _MOST_TEXTS)
        texts_AT = F.normalize(text_NT[::every].float(), dim=1)
        alike_AA = texts_AT @ texts_AT.T
        others = ~torch.eye(len(texts_AT), dtype=torch.bool)
        apart = len(texts_AT) > 1
        chance = alike_AA[others].median() if apart else alike_AA.new_zeros(())
        nearest_A = alike_AA.masked_fill(~others, -1.0).amax(dim=1) if apart else alike_AA.new_ones(1)
        self.register_buffer("texts", texts_AT)
        self.register_buffer("strange", chance)
        self.register_buffer("familiar", (chance + nearest_A.quantile(_APART)) / 2)

    def forward(self, text_NT: Tensor) -> Tensor:
        """How familiar each text is. [N, 1]"""
        nearest_N1 = (F.normalize(text_NT, dim=1) @ self.texts.T).amax(dim=1, keepdim=True)
        return ((nearest_N1 - self.strange) / (self.familiar - self.strange).clamp(min=1e-3)).clamp(0.0, 1.0)
