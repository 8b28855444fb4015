"""Re-rank a shopper's best items so that a list is less of the same: maximal marginal relevance.

Stands alone beside `model.py` in a version's folder. Only the order changes: each item keeps its own score, which does
not depend on what else is listed. Shape letters: r shoppers, M items to choose from, D width, K items chosen.

Source: Carbonell and Goldstein 1998, "The use of MMR, diversity-based reranking".
"""

import torch
from torch import Tensor
from torch.nn import functional as F


def marginal_relevance(score_rM: Tensor, vector_rMD: Tensor, diversity: float | Tensor, k: int) -> Tensor:
    """Choose one item after the other: the best by (1 - diversity) × relevance - diversity × likeness. [r, K] places

    Relevance is the score, brought to 0..1 among the shopper's own M items; likeness is the largest cosine with an
    item that is chosen already. With a diversity of 0 the order is that of the scores, ties by place.

    Args:
        score_rM: any scale; -inf for a place that holds no item, which is chosen last.
        diversity: of all, or of each shopper [r, 1]: from 0, the order of the scores, to 1, likeness alone.
        k: at most M.
    """
    present_rM = score_rM > -torch.inf
    merit_rM = (1 - diversity) * _relevance(score_rM, present_rM)
    unit_rMD = F.normalize(vector_rMD, dim=2)
    # No item is like nothing: the first is chosen by merit alone.
    likeness_rM = torch.full_like(score_rM, -torch.inf)
    taken_rM = torch.zeros_like(present_rM)
    places: list[Tensor] = []
    for turn in range(k):
        penalty_rM = diversity * likeness_rM if turn else torch.zeros_like(likeness_rM)
        value_rM = torch.where(present_rM, merit_rM - penalty_rM, -1e9).masked_fill(taken_rM, -torch.inf)
        # Of equal values the first place is taken; argmax alone promises none.
        best_r1 = (value_rM == value_rM.amax(dim=1, keepdim=True)).to(torch.uint8).argmax(dim=1, keepdim=True)
        places.append(best_r1)
        taken_rM = taken_rM.scatter(1, best_r1, True)
        chosen_r1D = unit_rMD.gather(1, best_r1.unsqueeze(2).expand(-1, -1, unit_rMD.shape[2]))
        likeness_rM = torch.maximum(likeness_rM, (unit_rMD * chosen_r1D).sum(dim=2))
    return torch.cat(places, dim=1)


def _relevance(score_rM: Tensor, present_rM: Tensor) -> Tensor:
    low = torch.where(present_rM, score_rM, torch.inf).amin(dim=1, keepdim=True)
    high = score_rM.amax(dim=1, keepdim=True)
    span = (high - low).clamp(min=1e-12)
    return torch.where(present_rM, (score_rM - low) / span, 0.0)
