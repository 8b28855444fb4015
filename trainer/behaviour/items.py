"""Items as vectors: an id of their own, what their text says and what attributes they have, in one table for all uses.

The same vector stands for an item in a history and as a candidate. N items, D width, T width of a sentence vector.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Attributes(NamedTuple):
    """Attributes of each item, one item after the other."""

    flat: Tensor  # [E]  attribute rows
    start: Tensor  # [N]  where each item's begin
    kinds: int  # different attributes in all

    @classmethod
    def of(cls, lists: list[list[int]]) -> "Attributes":
        """From one list of attribute rows (0-based) an item."""
        lengths = torch.tensor([0, *map(len, lists)])
        flat = torch.tensor([a for row in lists for a in row], dtype=torch.long)
        return cls(flat, lengths.cumsum(0)[:-1], int(flat.max()) + 1 if len(flat) else 1)


class TextProjection(nn.Module):
    """Text vectors [N, T] of a sentence encoder to the model's width [N, D]."""

    mean: Tensor
    scale: Tensor

    def __init__(self, text_NT: Tensor, width: int) -> None:
        super().__init__()
        # Sentence vectors share a large common part and are tiny in each direction; the rest is what tells items apart.
        self.register_buffer("mean", text_NT.mean(dim=0))
        self.register_buffer("scale", 1.0 / text_NT.std(dim=0, correction=0).mean().clamp(min=1e-3))
        self.linear = nn.Linear(text_NT.shape[1], width, bias=False)
        nn.init.normal_(self.linear.weight, std=0.1 / text_NT.shape[1] ** 0.5)

    def forward(self, text_NT: Tensor) -> Tensor:
        """Project. [N, D]"""
        return self.linear((text_NT - self.mean) * self.scale)


class AttributeBag(nn.Module):
    """Sum of an item's attribute vectors over the root of their number."""

    flat: Tensor
    start: Tensor
    share: Tensor

    def __init__(self, attributes: Attributes, width: int, std: float) -> None:
        super().__init__()
        self.vectors = nn.Parameter(torch.randn(attributes.kinds, width) * std)
        ends = torch.cat([attributes.start[1:], torch.tensor([len(attributes.flat)])])
        size = (ends - attributes.start).clamp(min=1).float()
        self.register_buffer("flat", attributes.flat, persistent=False)
        self.register_buffer("start", attributes.start, persistent=False)
        self.register_buffer("share", size.rsqrt().unsqueeze(1), persistent=False)

    def forward(self) -> Tensor:
        """All items' attribute vectors. [N, D]"""
        return F.embedding_bag(self.flat, self.vectors, self.start, mode="sum") * self.share


class ItemTable(nn.Module):
    """The catalogue's representations, used for history and for scoring alike."""

    seen_N: Tensor
    text_NT: Tensor

    def __init__(
        self,
        seen_N: Tensor,
        width: int,
        id_dropout: float,
        *,
        text_NT: Tensor | None = None,
        attributes: Attributes | None = None,
        std: float = 0.1,
    ) -> None:
        """Make the table.

        Args:
            seen_N: whether training shows the item at all (bool).
            id_dropout: share of items that lose their id in a step, where there is anything else to know them by.
            text_NT: sentence vectors.
            attributes: what else is known of each item.
            std: of the first vectors.
        """
        super().__init__()
        self.ids = nn.Embedding(len(seen_N), width)
        self.unknown = nn.Parameter(torch.zeros(width))
        self.text = None if text_NT is None else TextProjection(text_NT, width)
        self.bag = None if attributes is None else AttributeBag(attributes, width, std)
        self.id_dropout = id_dropout if self.text or self.bag else 0.0
        self.register_buffer("text_NT", text_NT, persistent=False)
        self.register_buffer("seen_N", seen_N)
        nn.init.normal_(self.ids.weight, std=std)

    def forward(self) -> Tensor:
        """All representations; in training some items lose their id, in history and as target alike. [N, D]"""
        keep = self.seen_N
        if self.training and self.id_dropout:
            keep = keep & (torch.rand(len(keep), device=keep.device) >= self.id_dropout)
        table_ND = torch.where(keep.unsqueeze(1), self.ids.weight, self.unknown)
        if self.text is not None:
            table_ND = table_ND + self.text(self.text_NT)
        return table_ND if self.bag is None else table_ND + self.bag()

    def text_part(self) -> Tensor:
        """What of each representation comes from the item's text. [N, D]"""
        return torch.zeros_like(self.ids.weight) if self.text is None else self.text(self.text_NT)
