"""The best items of each shopper, out of all of them, exactly. Stands alone beside `scorer.py`.

Shape letters: r shoppers, L events of history, N items, E extra items, D width, X excluded items.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from .items import Items, Lookup

_BLOCK = 8
"""Items to a block, blocks to a block of blocks and so on. With 12,000 items and 64 shoppers 4 and 8 took 0.8 ms and 16
took 1.0; with a million and 8 it was 2.7, 2.1 and 2.4."""


class OwnItems(NamedTuple):
    """The shoppers' own items, and what having had them adds to their scores."""

    row_rL: Tensor
    boost_rL: Tensor


def best_items(
    items: Items,
    lookup: Lookup,
    bias: Tensor,
    user_rD: Tensor,
    own: OwnItems,
    exclude_rX: Tensor,
    most: int,
    excluded_Nr: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Scores and rows of the best items, in no order among equals; at most as many as there are. [r, most] each

    Args:
        bias: what each item scores before any history counts; -inf for what is withdrawn. [N + E + 1]
        exclude_rX: hashes of items that a shopper is not to get.
        closed_Nr: rows that a shopper is not to get either. [N + E + 1, r]
    """
    row_Xr = torch.cat([own.row_rL, items.rows(lookup, exclude_rX)], dim=1).T
    change_Xr = torch.nn.functional.pad(own.boost_rL, (0, exclude_rX.shape[1]), value=-torch.inf).T
    n = len(items)
    # Items by shoppers, so that the table is read as it lies: the other way round, each product rearranges it.
    known_Nr = (items.table @ user_rD.T).add_(bias[:n].unsqueeze(1))
    known_Nr.scatter_add_(0, row_Xr.clamp(max=n - 1), torch.where(row_Xr < n, change_Xr, 0.0))
    if excluded_Nr is not None:
        known_Nr.masked_fill_(excluded_Nr[:n], -torch.inf)
    if not len(lookup.extra_item):  # what is left is the unknown, which nobody gets
        return top(known_Nr, min(most, n))
    tail_Er = (lookup.tail_vector @ user_rD.T).add_(bias[n:].unsqueeze(1))
    tail_Er.scatter_add_(0, (row_Xr - n).clamp(min=0), torch.where(row_Xr < n, 0.0, change_Xr))
    if excluded_Nr is not None:
        tail_Er.masked_fill_(excluded_Nr[n:], -torch.inf)
    score, best = top(known_Nr, min(most, n))
    tail_row = torch.arange(n, len(bias), device=best.device).expand(len(best), -1)
    score, at = torch.cat([score, tail_Er.T], dim=1).topk(min(most, len(bias)), dim=1)
    return score, torch.cat([best, tail_row], dim=1).gather(1, at)


def top(score_Nr: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`score_Nr.T.topk(k)`, faster: the k best are among the k blocks whose own best are best. [r, k] each"""
    n, r = score_Nr.shape
    blocks = n // _BLOCK
    if blocks < 2 * k:
        return score_Nr.T.topk(k, dim=1)
    # Block b holds the items b, b + blocks, b + 2 * blocks and so on: its maximum is one of whole rows of memory.
    _, block_rk = top(score_Nr[: _BLOCK * blocks].unflatten(0, (_BLOCK, blocks)).amax(dim=0), k)
    items = torch.arange(_BLOCK, device=score_Nr.device) * blocks
    rest = torch.arange(_BLOCK * blocks, n, device=score_Nr.device).expand(r, -1)
    place = torch.cat([(block_rk.unsqueeze(2) + items).flatten(1), rest], dim=1)
    score, at = score_Nr[place, torch.arange(r, device=place.device).unsqueeze(1)].topk(k, dim=1)
    return score, place.gather(1, at)
