"""The shopper model: items, behaviour encoder, next-item scores and click head, in one module."""

from typing import Final

import torch
from torch import Tensor, nn

from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.encoder import BehaviourEncoder
from trainer.behaviour.items import ItemTable
from trainer.click.head import ClickHead
from trainer.data.windows import TARGET_ACTIONS

#: A new item is taken to be as popular as this share of the catalogue's items are at most: it deserves to be tried.
_NEW_ITEM_QUANTILE: Final = 0.75


class ShopperModel(nn.Module):
    """Everything that training fits. N items, D width, P half-lives of popularity, S points in time, A actions."""

    popularity_PSN: Tensor

    def __init__(self, config: BehaviourConfig, items: ItemTable, popularity_PSN: Tensor) -> None:
        super().__init__()
        self.config = config
        self.items = items
        self.encoder = BehaviourEncoder(config)
        self.click = ClickHead(config.width)
        self.register_buffer("popularity_PSN", popularity_PSN)
        halves, _, count = popularity_PSN.shape
        self.popularity_weight = nn.Parameter(torch.full((halves,), 1.0 / max(1, halves)))
        self.item_bias = nn.Parameter(torch.zeros(count))
        self.action_bias_AN = nn.Parameter(torch.zeros(len(TARGET_ACTIONS), count))

    def bias_of_action(self, action: int) -> Tensor:
        """What an item scores for one action without any history, at each point in time. [S, N]"""
        return self._shared_bias() + self.action_bias_AN[action]

    def bias(self) -> Tensor:
        """The same for all actions by their weights. [S, N]"""
        return self._shared_bias() + self.encoder.action_heads.weight_A @ self.action_bias_AN

    def bias_now(self) -> Tensor:
        """The same as of the end of training. [N]"""
        return self.bias()[-1]

    def bias_of_new_items(self) -> Tensor:
        """What an item scores that training never saw. []"""
        return self.bias_now().quantile(_NEW_ITEM_QUANTILE)

    def user_vectors(self, item_BL: Tensor, action_BL: Tensor, time_BL: Tensor, table_ND: Tensor) -> Tensor:
        """The shopper after each event. [B, L, D]"""
        return self.encoder.after_each(table_ND[item_BL], action_BL, time_BL)

    def _shared_bias(self) -> Tensor:
        return torch.einsum("psn,p->sn", self.popularity_PSN, self.popularity_weight) + self.item_bias
