"""Answer requests from exported programs and plain tensors: retrieval, exclusion, ranking, reasons, click rates.

Stands alone in a version's folder, beside `diversity.py` and `model.py`: torch and the standard library only. Shape
letters: B shoppers, r of them that want recommendations, L events of history, N items, E extra items, D width, K
recommended items, R reasons, M candidates, C context pairs.
"""

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from .diversity import marginal_relevance
from .returning import worth_again

NO_ITEM = 0
TOP_K = 20
REASONS = 2
_MARGIN = 12
"""Items beyond K that are ranked too, so that items of equal score are cut off by hash and not by chance."""
_POOL = 100
"""Items that re-ranking for diversity chooses from."""
_ROWS = 64
"""Shoppers at once: bounds the [r, N] scores that are in memory together."""
_SHORTEST = 3
"""Events that the exported encoder takes at least."""
_CANDIDATES = 8_192

Tensors = Mapping[str, Tensor]


class Lookup(NamedTuple):
    """The version's items, then the request's extra ones, then one row for everything unknown."""

    extra_item: Tensor  # [E] sorted
    tail_vector: Tensor  # [E + 1, D]
    tail_bias: Tensor  # [E + 1]  -inf for the unknown


class Own(NamedTuple):
    """The shoppers' own items, and what having had them adds to their scores."""

    row_rL: Tensor
    worth_rL: Tensor


class Scorer:
    """A trained version, ready to answer."""

    def __init__(
        self,
        arrays: Tensors,
        encode: Callable[..., Tensor],
        click: Callable[..., Tensor] | None,
        diversity: float = 0.0,
    ) -> None:
        """Args:
        arrays: `item_hash` [N] sorted, `item_vector` [N, D], `item_text` [N, D] (the part of it that the item's text
            makes), `item_bias` [N], `item_prior` [N], `unknown_vector` [D], `new_bias` [1], `new_prior` [1],
            `popular` [100], `again` [2] (`returning.worth_again`).
        encode: (item [B, L, D], action [B, L], time [B, L], now [B]) to what each event gives [B, L, D].
        click: (user [M, D], item [M, D], prior [M], place [M], context [M, C], known [M]) to logits [M], or None.
        diversity: from 0, lists in order of score, to 1: how much less of the same a list should hold; for requests
            that do not say so themselves.
        """
        self.arrays = arrays
        self._encode = encode
        self._click = click
        self._diversity = _share(diversity)

    def score(self, asked: Tensors) -> dict[str, Tensor]:
        """Answer a "score" request: names, shapes and meanings as in the wire contract."""
        lookup = self._lookup(asked["extra_item"], asked["extra_vector"])
        given_BLD = self._given(asked, lookup)
        user_BD = given_BLD.sum(dim=1)
        answer = self._recommend(asked, lookup, given_BLD, user_BD)
        self._add_rates(answer, asked, lookup, user_BD)
        return answer

    def known(self, probe: Tensor) -> Tensor:
        """Which hashes this version knows. [P] uint8"""
        return (self._find(self.arrays["item_hash"], probe) < len(self.arrays["item_hash"])).to(torch.uint8)

    def _lookup(self, items: Tensor, vectors: Tensor) -> Lookup:
        new = (self.known(items) == 0) & (items != NO_ITEM)
        items, order = items[new].sort(stable=True)
        first = torch.ones_like(items, dtype=torch.bool)
        first[1:] = items[1:] != items[:-1]
        tail = torch.cat([vectors[new][order][first], self.arrays["unknown_vector"].unsqueeze(0)])
        bias = self.arrays["new_bias"].expand(len(tail)).clone()
        bias[-1] = -torch.inf
        return Lookup(items[first], tail, bias)

    def _rows(self, lookup: Lookup, items: Tensor) -> Tensor:
        """Rows of items in version, extras, unknown; any shape."""
        n, e = len(self.arrays["item_hash"]), len(lookup.extra_item)
        row = self._find(self.arrays["item_hash"], items)
        extra = self._find(lookup.extra_item, items)
        return torch.where(row < n, row, torch.where(extra < e, n + extra, n + e))

    def _vectors(self, lookup: Lookup, rows: Tensor) -> Tensor:
        return self._with_tail(self.arrays["item_vector"], lookup, rows)

    def _with_tail(self, table_ND: Tensor, lookup: Lookup, rows: Tensor) -> Tensor:
        """A table's rows, and the tail's vectors for rows beyond it: few or none, so these are put in one by one."""
        n = len(table_ND)
        found = table_ND[rows.clamp(max=n - 1)]
        beyond = rows >= n
        found[beyond] = lookup.tail_vector[rows[beyond] - n]
        return found

    def _given(self, asked: Tensors, lookup: Lookup) -> Tensor:
        item, action, time = asked["history_item"], asked["history_action"], asked["history_time"]
        events_B = (action > 0).sum(dim=1)
        given = torch.zeros(*item.shape, self.arrays["item_vector"].shape[1], device=item.device)
        # Histories are right-aligned, and most are short: those of like length go together, their padding left out.
        for rows in events_B.argsort(descending=True, stable=True).split(_ROWS):
            some = slice(-max(int(events_B[rows[0]]), _SHORTEST), None)
            vectors = self._vectors(lookup, self._rows(lookup, item[rows, some]))
            given[rows, some] = self._encode(vectors, action[rows, some], time[rows, some], asked["now"][rows])
        return given

    def _recommend(self, asked: Tensors, lookup: Lookup, given_BLD: Tensor, user_BD: Tensor) -> dict[str, Tensor]:
        count, device = len(user_BD), user_BD.device
        answer = {
            "rec_item": torch.zeros(count, TOP_K, dtype=torch.int64, device=device),
            "rec_score": torch.zeros(count, TOP_K, device=device),
            "rec_ctr": torch.full((count, TOP_K), torch.nan, device=device),
            "reason_event": torch.full((count, TOP_K, REASONS), -1, dtype=torch.int32, device=device),
            "reason_weight": torch.zeros(count, TOP_K, REASONS, device=device),
            "reason_part": torch.zeros(count, TOP_K, 2, device=device),
        }
        bias = self._bias(asked, lookup)
        diversity = _share(float(asked["diversity"][0])) if "diversity" in asked else self._diversity
        for rows in asked["recommend"].nonzero().squeeze(1).split(_ROWS):
            own = self._own(asked, lookup, rows)
            item, score = self._retrieve(lookup, bias, user_BD[rows], own, asked["exclude"][rows], diversity)
            answer["rec_item"][rows], answer["rec_score"][rows] = item, score
            event, weight = self._reasons(lookup, given_BLD[rows], own, item)
            answer["reason_event"][rows], answer["reason_weight"][rows] = event, weight
            answer["reason_part"][rows] = self._parts(lookup, bias, user_BD[rows], item)
        return answer

    def _add_rates(self, answer: dict[str, Tensor], asked: Tensors, lookup: Lookup, user_BD: Tensor) -> None:
        """Click rates of lists and candidates, in one go."""
        listed = asked["recommend"].nonzero().squeeze(1)
        place = torch.arange(TOP_K, device=user_BD.device).repeat(len(listed))
        item = torch.cat([answer["rec_item"][listed].flatten(), asked["candidate_item"]])
        row = torch.cat([listed.repeat_interleave(TOP_K), asked["candidate_row"].long()])
        place = torch.cat([place, asked["candidate_position"].long()])
        rate = self._rates(asked, lookup, user_BD, item, row, place)
        count = len(listed) * TOP_K
        answer["rec_ctr"][listed] = rate[:count].view(len(listed), TOP_K)
        answer["ctr"] = rate[count:]

    def _own(self, asked: Tensors, lookup: Lookup, rows: Tensor) -> Own:
        action, time, now = (asked[name][rows] for name in ("history_action", "history_time", "now"))
        worth_rL = worth_again(action, time, now, self.arrays["again"])
        return Own(self._rows(lookup, asked["history_item"][rows]), worth_rL)

    def _reasons(self, lookup: Lookup, given_rLD: Tensor, own: Own, item_rK: Tensor) -> tuple[Tensor, Tensor]:
        row_rK = self._rows(lookup, item_rK)
        same_rKL = row_rK.unsqueeze(2) == own.row_rL.unsqueeze(1)
        share_rKL = self._vectors(lookup, row_rK) @ given_rLD.transpose(1, 2) + same_rKL * own.worth_rL.unsqueeze(1)
        return reasons(share_rKL, item_rK != NO_ITEM)

    def _parts(self, lookup: Lookup, bias: Tensor, user_rD: Tensor, item_rK: Tensor) -> Tensor:
        """What an item's text, and its popularity beyond the mean item's, added to its score. [r, K, 2]"""
        row = self._rows(lookup, item_rK)
        text = self._with_tail(self.arrays["item_text"], lookup, row)  # a new item is nothing but its text
        popular = bias[row] - self.arrays["item_bias"].mean()
        part = torch.stack([torch.einsum("rkd,rd->rk", text, user_rD), popular], dim=-1)
        return torch.where((item_rK != NO_ITEM).unsqueeze(-1), part, 0.0)

    def _bias(self, asked: Tensors, lookup: Lookup) -> Tensor:
        """What each item scores before any history counts; -inf for what is withdrawn. [N + E + 1]"""
        bias = torch.cat([self.arrays["item_bias"], lookup.tail_bias])
        bias = bias.index_add(0, self._rows(lookup, asked["boost_item"]), asked["boost"])
        return bias.index_fill(0, self._rows(lookup, asked["withdrawn"]), -torch.inf)

    def _retrieve(
        self, lookup: Lookup, bias: Tensor, user_rD: Tensor, own: Own, exclude_rX: Tensor, diversity: float
    ) -> tuple[Tensor, Tensor]:
        """The best items of each shopper and their scores, ties by hash; re-ranked where that is set. [r, K] each"""
        most = _POOL if diversity > 0 else TOP_K + _MARGIN
        score, row = self._best(lookup, bias, user_rD, own, exclude_rX, most)
        every = torch.cat([self.arrays["item_hash"], lookup.extra_item, lookup.extra_item.new_zeros(1)])
        item, order = every[row].sort(dim=1)
        score, best = score.gather(1, order).sort(dim=1, descending=True, stable=True)
        item = item.gather(1, best)
        if diversity > 0:
            vectors = self._vectors(lookup, row.gather(1, order).gather(1, best))
            place = marginal_relevance(score, vectors, diversity, min(TOP_K, score.shape[1]))
            item, score = item.gather(1, place), score.gather(1, place)
        there = score > -torch.inf
        item, score = torch.where(there, item, NO_ITEM), torch.where(there, score, 0.0)
        missing = max(0, TOP_K - item.shape[1])
        pad = torch.nn.functional.pad
        return pad(item, (0, missing))[:, :TOP_K], pad(score, (0, missing))[:, :TOP_K]

    def _best(
        self, lookup: Lookup, bias: Tensor, user_rD: Tensor, own: Own, exclude_rX: Tensor, most: int
    ) -> tuple[Tensor, Tensor]:
        """Scores and rows of the best items, in no order among equals. Both parts are products of whole arrays."""
        row = torch.cat([own.row_rL, self._rows(lookup, exclude_rX)], dim=1)
        change = torch.nn.functional.pad(own.worth_rL, (0, exclude_rX.shape[1]), value=-torch.inf)
        n = len(self.arrays["item_hash"])
        known = torch.addmm(bias[:n], user_rD, self.arrays["item_vector"].T)
        known.scatter_add_(1, row.clamp(max=n - 1), torch.where(row < n, change, 0.0))
        tail = torch.addmm(bias[n:], user_rD, lookup.tail_vector.T)
        tail.scatter_add_(1, (row - n).clamp(min=0), torch.where(row < n, 0.0, change))
        score, best = top(known, min(most, n))
        beyond = torch.arange(n, len(bias), device=best.device).expand(len(best), -1)
        score, at = torch.cat([score, tail], dim=1).topk(min(most, len(bias)), dim=1)
        return score, torch.cat([best, beyond], dim=1).gather(1, at)

    def _rates(
        self, asked: Tensors, lookup: Lookup, user_BD: Tensor, item: Tensor, row: Tensor, place: Tensor
    ) -> Tensor:
        """Click probability of items for shoppers, pair by pair; NaN without a click head. [M]"""
        if self._click is None:
            return torch.full(item.shape, torch.nan, device=item.device)
        known_B = (asked["history_action"] > 0).sum(dim=1)
        n = len(self.arrays["item_hash"])
        parts: list[Tensor] = []
        for cut in torch.arange(len(item), device=item.device).split(_CANDIDATES):
            rows, who = self._rows(lookup, item[cut]), row[cut]
            prior = self.arrays["item_prior"][rows.clamp(max=n - 1)]
            prior = torch.where(rows < n, prior, self.arrays["new_prior"])
            vectors = self._vectors(lookup, rows)
            logit = self._click(user_BD[who], vectors, prior, place[cut], asked["context"][who], known_B[who])
            parts.append(logit.sigmoid())
        return torch.cat(parts)

    @staticmethod
    def _find(known: Tensor, items: Tensor) -> Tensor:
        """Place of each item among sorted hashes, their number where it is not among them."""
        if len(known) == 0:
            return torch.zeros_like(items)
        at = torch.searchsorted(known, items.contiguous()).clamp(max=len(known) - 1)
        return torch.where(known[at] == items, at, len(known))


def _share(diversity: float) -> float:
    if not 0 <= diversity <= 1:
        raise ValueError(f"diversity {diversity} must be from 0 to 1")
    return diversity


def top(score_rN: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`score_rN.topk(k)`, faster: the k best are among the k blocks whose own best are best. [r, k] each"""
    n = score_rN.shape[1]
    size = 1 << max(0, round(math.log2(n / k) / 2))
    blocks = n // size
    if blocks < 2 * k:
        return score_rN.topk(k, dim=1)
    # Block b holds the columns b, b + blocks, b + 2 * blocks and so on: its maximum is one of whole rows of memory.
    whole = score_rN[:, : size * blocks].unflatten(1, (size, blocks))
    _, block_rk = whole.amax(dim=1).topk(k, dim=1, sorted=False)
    columns = torch.arange(size, device=score_rN.device) * blocks
    rest = torch.arange(size * blocks, n, device=score_rN.device).expand(len(score_rN), -1)
    place = torch.cat([(block_rk.unsqueeze(2) + columns).flatten(1), rest], dim=1)
    score, at = score_rN.gather(1, place).topk(k, dim=1)
    return score, place.gather(1, at)


def reasons(share_rKL: Tensor, there_rK: Tensor) -> tuple[Tensor, Tensor]:
    """The events that added most to each score, and how much; -1 and 0 where none added. [r, K, R] each"""
    weight, event = share_rKL.topk(REASONS, dim=2)
    counts = (weight > 0) & there_rK.unsqueeze(2)
    return torch.where(counts, event, -1).int(), torch.where(counts, weight, 0.0)
