"""How a request wants its lists: how long, how varied, what comes first, what they are held to. Stands alone.

Shape letters: B shoppers, r of them at once, N items and E extra ones, S pairs of item and category, P pinned items, C
categories, M places before the cut.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .items import Kinds, Tensors

TOP_K = 20
"""Items of a list, unless a request says otherwise."""
_MOST = 100


class Rules(NamedTuple):
    """Of one request; None for what it does not say."""

    length: int
    diversity: Tensor | None  # [B], or [1] for all
    pinned: Tensor | None  # [B, P]
    kept: Tensor | None  # [B, C]


def rules_of(tensors: Tensors, diversity: float) -> Rules:
    """What a request says.

    Args:
        diversity: for shoppers that it says none for.

    Raises:
        ValueError: a length or a diversity beyond its range.
    """
    length = int(tensors["list_length"][0]) if "list_length" in tensors else TOP_K
    if not 1 <= length <= _MOST:
        raise ValueError(f"list_length {length} must be from 1 to {_MOST}")
    own = tensors.get("diversity")
    if own is not None:
        own = torch.where(own.isnan(), diversity, own.double())
        share(float(own.min()))
        share(float(own.max()))
    elif diversity > 0:
        own = torch.tensor([diversity], dtype=torch.float64, device=tensors["now"].device)
    if own is not None and not own.any():
        own = None
    return Rules(length, own, tensors.get("pinned"), tensors.get("kept_category"))


def share(diversity: float) -> float:
    """The diversity, if it is one.

    Raises:
        ValueError: it is not.
    """
    if not 0 <= diversity <= 1:
        raise ValueError(f"diversity {diversity} must be from 0 to 1")
    return diversity


def excluded_by_category(kinds: Kinds | None, kept_rC: Tensor, rows: int) -> Tensor:
    """What is in none of the categories that a shopper's list is held to. [N + E + 1, r] bool"""
    r = len(kept_rC)
    excluded_Nr = (kept_rC != 0).any(dim=1).expand(rows, r).clone()
    if kinds is None:
        return excluded_Nr
    for category in kept_rC.unique().tolist():
        if category:
            wanted = kinds.category.new_tensor([category])
            first, last = (int(torch.searchsorted(kinds.category, wanted, right=end)) for end in (False, True))
            theirs = (kept_rC == category).any(dim=1).nonzero().squeeze(1)
            excluded_Nr[kinds.row[first:last].unsqueeze(1), theirs] = False
    return excluded_Nr


def pins_first(pin_rP: tuple[Tensor, Tensor], best_rM: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """Scores and rows of what is pinned, then of the best; -inf last. [r, P + M] each"""
    score, row = (torch.cat(pair, dim=1) for pair in zip(pin_rP, best_rM, strict=True))
    order = (score == -torch.inf).to(torch.uint8).argsort(dim=1, stable=True)
    return score.gather(1, order), row.gather(1, order)
