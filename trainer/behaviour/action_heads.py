"""What a shopper may do with an item next: view it, put it in the cart, buy it. One linear projection each.

An action's score is a product with the item vector, like any score, so their weighted sum is one map and costs nothing
to serve; and a score stays the sum of its events' contributions. A denotes actions, in the order of `TARGET_ACTIONS`.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainer.behaviour.config import BehaviourConfig
from trainer.data.windows import TARGET_ACTIONS


class ActionProjections(nn.Module):
    """A shopper's vector projected for each action; an untrained projection leaves it as it is."""

    weight_A: Tensor
    itself_DD: Tensor

    def __init__(self, config: BehaviourConfig) -> None:
        super().__init__()
        self.turn_ADD = nn.Parameter(torch.zeros(len(TARGET_ACTIONS), config.width, config.width))
        self.register_buffer("weight_A", torch.tensor(config.action_weights) / sum(config.action_weights))
        # Made here and not where it is needed: a traced program would make it on the device it was traced on.
        self.register_buffer("itself_DD", torch.eye(config.width), persistent=False)

    def weigh(self, present: Sequence[bool]) -> None:
        """Leave out the actions that a stream never shows, and share their weight among the others."""
        there = torch.tensor(present, device=self.weight_A.device)
        if there.any() and (kept := self.weight_A * there).sum() > 0:
            self.weight_A = kept / kept.sum()

    def to_action(self, user_MD: Tensor, action: int) -> Tensor:
        """Shoppers' vectors for one action. [M, D]"""
        return user_MD + user_MD @ self.turn_ADD[action]

    def combined(self, x_BLD: Tensor) -> Tensor:
        """Vectors whose products with items are the weighted sum of all actions' scores. [..., D]"""
        return x_BLD @ self.map()

    def map(self) -> Tensor:
        """The same as a matrix. [D, D]"""
        return self.itself_DD + torch.einsum("a,ade->de", self.weight_A, self.turn_ADD)
