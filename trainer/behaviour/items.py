"""Items as vectors: an id of their own plus what their text says, so that an item without a past has a place too."""

import torch
from torch import Tensor, nn


class TextProjection(nn.Module):
    """Text vectors [N, T] of a sentence encoder to the model's width [N, D]."""

    mean: Tensor
    scale: Tensor

    def __init__(self, text_ND: Tensor, width: int) -> None:
        super().__init__()
        # Sentence vectors share a large common part and are tiny in each direction; the rest is what tells items apart.
        self.register_buffer("mean", text_ND.mean(dim=0))
        self.register_buffer("scale", 1.0 / text_ND.std(dim=0, correction=0).mean().clamp(min=1e-3))
        self.linear = nn.Linear(text_ND.shape[1], width, bias=False)
        nn.init.normal_(self.linear.weight, std=0.1 / text_ND.shape[1] ** 0.5)

    def forward(self, text_NT: Tensor) -> Tensor:
        """Project. [N, D]"""
        return self.linear((text_NT - self.mean) * self.scale)


class ItemTable(nn.Module):
    """The catalogue's representations, used for history and for scoring alike."""

    seen_N: Tensor
    text_NT: Tensor

    def __init__(self, text_NT: Tensor, seen_N: Tensor, width: int, id_dropout: float) -> None:
        """Args: text_NT: sentence vectors; seen_N: whether training shows the item at all (bool)."""
        super().__init__()
        self.ids = nn.Embedding(len(text_NT), width)
        self.unknown = nn.Parameter(torch.zeros(width))
        self.text = TextProjection(text_NT, width)
        self.id_dropout = id_dropout
        self.register_buffer("text_NT", text_NT, persistent=False)
        self.register_buffer("seen_N", seen_N)
        nn.init.normal_(self.ids.weight, std=0.1)

    def forward(self) -> Tensor:
        """All representations; in training some items lose their id, in history and as target alike. [N, D]"""
        keep = self.seen_N
        if self.training:
            keep = keep & (torch.rand(len(keep), device=keep.device) >= self.id_dropout)
        own = torch.where(keep.unsqueeze(1), self.ids.weight, self.unknown)
        return own + self.text(self.text_NT)
