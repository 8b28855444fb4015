"""What the forecaster knows of an item beside its sales: its text, its price, and how similar items sell.

An item that a version does not know is taken for the mean of its category; of what is no item nothing is known. Shape
letters: N known items, C categories, G series, F facts, P components of a text vector.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from feature_repo.basics.identity import NO_ITEM

TEXT_PARTS: Final = 16
"""P: principal components of a text vector that the forecaster sees."""
FACTS: Final = TEXT_PARTS + 2
"""F: of the tables: the text's components, log of similar items' level, log of the usual price."""
_FACTS_WITH_EFFECT: Final = TEXT_PARTS + 5
_ITEM_HIDDEN: Final = 0.15
_ALL_HIDDEN: Final = 0.05
"""Shares of the training samples that see their category alone, or nothing: online, new items and scopes do."""
_MOST: Final = 3.0


class FactTables(NamedTuple):
    """Facts by hash; the hashes increase."""

    item_hash_N: Tensor
    item_NF: Tensor
    category_hash_C: Tensor
    category_CF: Tensor


class ItemFacts(nn.Module):
    """Facts of the items asked for, as features of a network."""

    item_hash_N: Tensor
    item_NF: Tensor
    category_hash_C: Tensor
    category_CF: Tensor
    mean_F: Tensor
    features: Final = _FACTS_WITH_EFFECT

    def __init__(self, tables: FactTables) -> None:
        super().__init__()
        for name, table in tables._asdict().items():
            self.register_buffer(name, table)
        self.register_buffer("mean_F", tables.item_NF.mean(0))

    def forward(self, item_G: Tensor, category_G: Tensor, price_G: Tensor, level_G1: Tensor) -> Tensor:
        """Features of series.

        Args:
            item_G: int64 hash of the item, NO_ITEM for none.
            category_G: int64 hash of its narrowest category, NO_ITEM for none.
            price_G: float32 price paid last, 0 for none.
            level_G1: float32 the series' own level, units a window.

        Returns:
            float32 [G, `features`].
        """
        item_row_G, item_known_G1 = _look_up(self.item_hash_N, item_G)
        category_row_G, category_known_G1 = _look_up(self.category_hash_C, category_G)
        if self.training:
            random_G1 = torch.rand_like(level_G1)
            item_known_G1 = item_known_G1 & (random_G1 > _ITEM_HIDDEN)
            category_known_G1 = category_known_G1 & (random_G1 > _ALL_HIDDEN)
        of_category_GF = torch.where(category_known_G1, self.category_CF[category_row_G], self.mean_F)
        facts_GF = torch.where(item_known_G1, self.item_NF[item_row_G], of_category_GF)
        text_GP, similar_G1, usual_G1 = facts_GF.split([TEXT_PARTS, 1, 1], 1)
        price_G1 = torch.where(price_G[:, None] > 0, price_G[:, None].clamp(min=1e-2).log(), usual_G1)
        felt = [
            text_GP,
            (similar_G1 - level_G1.log()).clamp(-_MOST, _MOST),
            ((price_G1 - usual_G1) * item_known_G1).clamp(-_MOST, _MOST),
            (price_G1 - self.mean_F[-1]).clamp(-_MOST, _MOST),
            item_known_G1.float(),
            category_known_G1.float(),
        ]
        return torch.cat(felt, 1)


def _look_up(hashes_N: Tensor, wanted_G: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of hashes, and whether they are there. [G], [G, 1]"""
    row_G = torch.searchsorted(hashes_N, wanted_G).clamp(max=hashes_N.shape[0] - 1)
    return row_G, ((hashes_N[row_G] == wanted_G) & (wanted_G != NO_ITEM))[:, None]
