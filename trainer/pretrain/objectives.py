"""What a stream teaches without labels: the next event, and events whose item is hidden.

A causal encoder sees no future, so a hidden event is asked for from the past and from what is left of it: its action
and its time. That differs from the next item, which is asked for before anything of the event is known. Both ideas are
of S3-Rec (Zhou et al., CIKM 2020) and BERT4Rec (Sun et al., CIKM 2019), made causal.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from feature_repo.basics.actions import ACTIONS
from feature_repo.shoppers.context import ACTION_BITS
from trainer.behaviour.model import ShopperModel
from trainer.behaviour.next_item import NextItemLoss
from trainer.behaviour.softmax import Targets, full_softmax_loss
from trainer.data.windows import Batch
from trainer.training_loop.precision import has_fast_bfloat16, mixed

HIDDEN: Final = 0.15
"""Share of events whose item is hidden."""
_WEIGHTS: Final = (1.0, 0.5, 0.1, 0.1)
_NOTHING: Final = -100
"""The label that a cross-entropy leaves out."""


class Losses(NamedTuple):
    """Mean cross-entropy of each objective, in the order of their weights. [] each"""

    next_item: Tensor
    hidden_item: Tensor
    next_action: Tensor
    next_gap: Tensor

    def total(self) -> Tensor:
        """Their weighted sum. []"""
        return torch.stack([weight * loss for weight, loss in zip(_WEIGHTS, self, strict=True)]).sum()


class Pretraining(nn.Module):
    """A shopper model and the heads that only pre-training needs."""

    def __init__(self, shopper: ShopperModel, next_item: NextItemLoss) -> None:
        super().__init__()
        width = shopper.config.width
        self.shopper = shopper
        self._next_item = next_item
        self.hidden = nn.Parameter(torch.zeros(width))
        self.own = nn.Linear(width, width)
        self.action = nn.Linear(width, len(ACTIONS))
        self.gap = nn.Linear(width, len(shopper.encoder.edges) + 1)

    def forward(self, batch: Batch, hide_BL: Tensor, since: int = 0) -> Losses:
        """The losses of a batch.

        Args:
            hide_BL: the events whose item is hidden (bool).
            since: ask for no event before this time (ms), the batch's targets aside.
        """
        targeted_BL = (batch.action > 0) & (batch.time >= since)
        hide_BL = hide_BL & targeted_BL
        with mixed(batch.item.device):
            table_ND = self.shopper.items()
            item_BLD = torch.where(hide_BL.unsqueeze(-1), self.hidden, table_ND[batch.item])
            user_BLD = self.shopper.encoder.after_each(item_BLD, batch.action, batch.time)
        return Losses(
            self._next_item.from_vectors(user_BLD, table_ND, batch),
            self._hidden_item(user_BLD[hide_BL], table_ND, batch.item[hide_BL], batch.step[hide_BL]),
            *self._next_event(user_BLD, batch, targeted_BL),
        )

    def _hidden_item(self, user_MD: Tensor, table_ND: Tensor, item_M: Tensor, step_M: Tensor) -> Tensor:
        even_M = torch.full((len(item_M),), 1.0 / max(1, len(item_M)), device=item_M.device)
        fast = has_fast_bfloat16(item_M.device)
        return full_softmax_loss(
            self.own(user_MD), table_ND, self.shopper.bias(), Targets(item_M, step_M, even_M), fast=fast
        )

    def _next_event(self, user_BLD: Tensor, batch: Batch, targeted_BL: Tensor) -> tuple[Tensor, Tensor]:
        """What is done next, and after how long."""
        user_BLD, follows = user_BLD[:, :-1], (batch.action[:, :-1] > 0) & targeted_BL[:, 1:]
        gap = torch.bucketize(batch.time[:, 1:] - batch.time[:, :-1], self.shopper.encoder.edges, right=True)
        action = (batch.action[:, 1:] & (1 << ACTION_BITS) - 1).long()
        return _cross_entropy(self.action(user_BLD), action, follows), _cross_entropy(self.gap(user_BLD), gap, follows)


def hide(action_BL: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw the places whose item is hidden. [B, L] (bool)"""
    return torch.rand(action_BL.shape, generator=generator).to(action_BL.device) < HIDDEN


def _cross_entropy(logits: Tensor, label: Tensor, counts: Tensor) -> Tensor:
    """Mean over the places that count; 0 where none does. []"""
    label = torch.where(counts, label, _NOTHING).flatten()
    total = F.cross_entropy(logits.float().flatten(0, 1), label, ignore_index=_NOTHING, reduction="sum")
    return total / counts.sum().clamp(min=1)
