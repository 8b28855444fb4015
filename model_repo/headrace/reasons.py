"""Why an item: the events that added most to its score. Stands alone beside `scorer.py`.

Shape letters: r shoppers, K recommended items, L events of history, R reasons.
"""

import torch
from torch import Tensor

REASONS = 2
"""Of an item: `reasons` looks for the best and the one after it."""


def reasons(share_rKL: Tensor, there_rK: Tensor) -> tuple[Tensor, Tensor]:
    """The events that added most to each score, and how much; -1 and 0 where none added. [r, K, R] each"""
    best, first = share_rKL.max(dim=2, keepdim=True)  # two passes, where `topk` sorts
    second = share_rKL.scatter(2, first, -torch.inf).max(dim=2, keepdim=True)
    weight, event = torch.cat([best, second.values], dim=2), torch.cat([first, second.indices], dim=2)
    counts = (weight > 0) & there_rK.unsqueeze(2)
    return torch.where(counts, event, -1).int(), torch.where(counts, weight, 0.0)
