"""Why an item: the events without which it would stand lower. Stands alone beside `scorer.py`.

Shape letters: r shoppers, K recommended items, L events of history, R reasons.
"""

import torch
from torch import Tensor

REASONS = 2
"""Of an item: `reasons` looks for the best and the one after it."""
_LEAST_SHARE = 0.5
"""Of the best event's weight: one that weighs less beside it reads as if it had been drawn by lot."""
_ACTION_MASK = 15
_NEGATIVE_ACTIONS = (4, 6)
"""Codes of remove_from_cart and return: they may move a score, and are no reason for an item."""


def eligible_events(action_rL: Tensor) -> Tensor:
    """Which events may be a reason, by what was done. [r, L]"""
    code_rL = action_rL & _ACTION_MASK
    for code in _NEGATIVE_ACTIONS:
        code_rL = torch.where(code_rL == code, 0, code_rL)
    return code_rL > 0


def reasons(weight_rKL: Tensor, row_rL: Tensor, eligible_rL: Tensor, present_rK: Tensor) -> tuple[Tensor, Tensor]:
    """The event that weighs most, and the best of another item that weighs half as much or more; and how much.

    -1 and 0 where none does. [r, K, R] each

    Args:
        weight_rKL: what an item would lose without an event.
        row_rL: the events' items.
        told_rL: events that may be a reason.
        there_rK: places of a list that hold an item.
    """
    weight_rKL = weight_rKL.masked_fill(~eligible_rL.unsqueeze(1), -torch.inf)
    best, first = weight_rKL.max(dim=2, keepdim=True)  # two passes, where `topk` sorts
    same_rKL = row_rL.unsqueeze(1) == row_rL.gather(1, first.flatten(1)).view_as(first)
    second = weight_rKL.masked_fill_(same_rKL, -torch.inf).max(dim=2, keepdim=True)
    weight, event = torch.cat([best, second.values], dim=2), torch.cat([first, second.indices], dim=2)
    counts = (weight > 0) & (weight >= _LEAST_SHARE * best) & present_rK.unsqueeze(2)
    return torch.where(counts, event, -1).int(), torch.where(counts, weight, 0.0)
