"""What the click head reads of impressions: the shopper's vector before each, and the items shown."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from headrace.arrays import Floats, Ints
from trainer.behaviour.model import ShopperModel
from trainer.data.impressions import Impressions

_USERS = 256


class ShownRows(NamedTuple):
    """I impressions, M items shown in them, D width of a vector, C context pairs; all on the model's device."""

    user: Tensor  # [I, D]
    known: Tensor  # [I]
    context: Tensor  # [I, C]
    table: Tensor  # [N, D]  vectors of all items
    item: Tensor  # [M]
    shown_in: Tensor  # [M]
    place: Tensor  # [M]
    prior: Tensor  # [M]
    clicked: Tensor  # [M]

    def inputs(self, pick: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Arguments of the click head for some of the items shown."""
        who = self.shown_in[pick]
        item, prior, place = self.table[self.item[pick]], self.prior[pick], self.place[pick]
        return self.user[who], item, prior, place, self.context[who], self.known[who]

    def every(self, size: int) -> tuple[Tensor, ...]:
        """All items shown, in order, in parts."""
        return torch.arange(len(self.item), device=self.item.device).split(size)


def shown_rows(model: ShopperModel, item_hash: Ints, shown: Impressions, prior_M: Floats) -> ShownRows:
    """Encode the shoppers' histories once; the encoder is not fitted here."""
    with torch.no_grad():
        table = model.items().detach()
    device = table.device
    item = torch.from_numpy(np.searchsorted(item_hash, shown.history_item).clip(max=len(item_hash) - 1))
    history = (item, torch.from_numpy(shown.history_action), torch.from_numpy(shown.history_time))
    now = torch.from_numpy(shown.now)
    users: list[Tensor] = []
    with torch.no_grad():
        for rows in torch.arange(len(now)).split(_USERS):
            items, action, time = (part[rows].to(device) for part in history)
            users.append(model.encoder(table[items], action, time, now[rows].to(device))[0])
    known = (shown.history_action > 0).sum(axis=1)
    row = np.searchsorted(item_hash, shown.shown_item)
    place, clicked = shown.position, shown.clicked
    known_I, context_IC, item_M, shown_in_M, place_M, prior, clicked_M = (
        torch.from_numpy(part).to(device)
        for part in (known, shown.context, row, shown.shown_in, place, prior_M, clicked)
    )
    return ShownRows(torch.cat(users), known_I, context_IC, table, item_M, shown_in_M, place_M, prior, clicked_M)
