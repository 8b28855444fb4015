"""What a shopper had on earlier visits may be wanted again: an exact addition to the scores of the same items.

Stands alone beside `scorer.py`. Next items are learnt within a visit, where the same is hardly wanted twice; when a
shopper comes back, a third of a basket may be what they had before. B shoppers, L events.
"""

import torch
from torch import Tensor

_VISIT_GAP_MS = 30 * 60_000
_ACTION_MASK = 15
_WANTED = (1, 2, 3, 5)
"""Codes of view, click, add_to_cart and purchase."""


def repurchase_boost(action_BL: Tensor, time_BL: Tensor, now_B: Tensor, repurchase: Tensor) -> Tensor:
    """What each event adds to the score of its own item: something on earlier visits, nothing on this one. [B, L]

    Args:
        action_BL, time_BL: codes of action and channel, and ms, right-aligned; 0 before the first event.
        now_B: ms.
        again: the weight of an event of this moment, and the ms after which it is worth half. [2]
    """
    weight, half_life = repurchase.unbind()
    until_BL = torch.cat([time_BL[:, 1:], now_B.unsqueeze(1)], dim=1)
    left_BL = (until_BL - time_BL > _VISIT_GAP_MS).int()
    earlier_BL = left_BL.flip(1).cummax(dim=1).values.flip(1) > 0
    wanted_BL = torch.isin(action_BL & _ACTION_MASK, torch.tensor(_WANTED, device=action_BL.device))
    age_BL = (now_B.unsqueeze(1) - time_BL).clamp(min=0).double()
    faded_BL = (weight * 0.5 ** (age_BL / half_life)).float()
    return torch.where(earlier_BL & wanted_BL, faded_BL, 0.0)
