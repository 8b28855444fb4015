"""The click head: how likely is this shopper to click on this item at this place of a list."""

from typing import Final

import torch
from torch import Tensor, nn

from streams.messages.wire import HISTORY

_PLACES: Final = 50
"""Places with an embedding of their own; those further down share the last."""
_BUCKETS: Final = 2_048
"""Buckets of context hashes; the first is padding."""
_SIDE: Final = 8
_HIDDEN: Final = 64


class ClickHead(nn.Module):
    """Corrects an item's average click rate by who looks, where and in which context. M rows, C context pairs."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.place = nn.Embedding(_PLACES, _SIDE)
        self.place_bias = nn.Embedding(_PLACES, 1)
        self.context = nn.Embedding(_BUCKETS, _SIDE, padding_idx=0)
        self.match = nn.Linear(1, 1)
        last = nn.Linear(_HIDDEN, 1)
        first = nn.Linear(3 * width + 2 * _SIDE + 1, _HIDDEN)
        self.layers = nn.Sequential(first, nn.GELU(), nn.Dropout(0.1), last)
        for table in (self.place, self.context):
            nn.init.normal_(table.weight, std=0.02)
        # An untrained head answers with the item's average rate.
        for zero in (self.place_bias.weight, self.match.weight, self.match.bias, last.weight, last.bias):
            nn.init.zeros_(zero)
        with torch.no_grad():
            self.context.weight[0] = 0

    def forward(
        self, user_MD: Tensor, item_MD: Tensor, prior_M: Tensor, place_M: Tensor, context_MC: Tensor, known_M: Tensor
    ) -> Tensor:
        """Logit of the click probability. [M]

        Args:
            user_MD, item_MD: vectors of the shopper (before the impression) and of the item.
            prior_M: logit of the item's average click rate.
            place_M: 0-based place in the list.
            context_MC: context hashes, 0 for none.
            known_M: events in the shopper's history.
        """
        place = place_M.clamp(0, _PLACES - 1)
        bucket = torch.where(context_MC == 0, 0, context_MC.remainder(_BUCKETS - 1) + 1)
        both = user_MD * item_MD
        length = (known_M.to(user_MD.dtype) / HISTORY).unsqueeze(1)
        parts = [user_MD, item_MD, both, self.place(place), self.context(bucket).sum(dim=1), length]
        match = self.match(both.sum(dim=1, keepdim=True))
        return prior_M + (self.layers(torch.cat(parts, dim=1)) + match + self.place_bias(place)).squeeze(1)
