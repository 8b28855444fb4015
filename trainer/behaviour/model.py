"""The shopper model: items, behaviour encoder, next-item scores and click head, in one module."""

from typing import Final

import torch
from torch import Tensor, nn

from trainer.behaviour.encoder import WIDTH, BehaviourEncoder
from trainer.behaviour.items import ItemTable
from trainer.click.head import ClickHead

_ID_DROPOUT: Final = 0.15
#: A new item is taken to be as popular as this share of the catalogue's items are at most: it deserves to be tried.
_NEW_ITEM_QUANTILE: Final = 0.75


class ShopperModel(nn.Module):
    """Everything that training fits. N items, D width, P half-lives of popularity, S points in time."""

    popularity_PSN: Tensor

    def __init__(self, text_NT: Tensor, seen_N: Tensor, popularity_PSN: Tensor) -> None:
        super().__init__()
        self.items = ItemTable(text_NT, seen_N, WIDTH, _ID_DROPOUT)
        self.encoder = BehaviourEncoder(WIDTH)
        self.click = ClickHead(WIDTH)
        self.register_buffer("popularity_PSN", popularity_PSN)
        self.popularity_weight = nn.Parameter(torch.tensor([0.3, 0.3, 0.4]))
        self.item_bias = nn.Parameter(torch.zeros(len(text_NT)))

    def bias(self) -> Tensor:
        """What an item scores without any history, at each point in time. [S, N]"""
        return torch.einsum("psn,p->sn", self.popularity_PSN, self.popularity_weight) + self.item_bias

    def bias_now(self) -> Tensor:
        """The same as of the end of training. [N]"""
        return self.bias()[-1]

    def bias_of_new_items(self) -> Tensor:
        """What an item scores that training never saw. []"""
        return self.bias_now().quantile(_NEW_ITEM_QUANTILE)

    def user_vectors(self, item_BL: Tensor, action_BL: Tensor, time_BL: Tensor, table_ND: Tensor) -> Tensor:
        """The shopper after each event. [B, L, D]"""
        return self.encoder.after_each(table_ND[item_BL], action_BL, time_BL)
