"""Answer requests from traced programs and plain tensors: retrieval, exclusion, ranking, reasons, click rates.

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
"""Of an item: `reasons` looks for the best and the one after it."""
_MARGIN = 12
"""Items beyond K that are ranked too, so that items of equal score are cut off by hash and not by chance."""
_POOL = 100
"""Items that re-ranking for diversity chooses from."""
_ROWS = 64
"""Shoppers at once: bounds the [r, N] scores that are in memory together."""
_SHORTEST = 3
"""Events that the traced encoder takes at least."""
_CANDIDATES = 8_192

Tensors = Mapping[str, Tensor]


class Lookup(NamedTuple):
    """The version's items, then the request's extra ones, then one row for everything unknown."""

    every_item: Tensor  # [N + E + 1]  NO_ITEM for the unknown
    extra_item: Tensor  # [E] sorted
    tail_vector: Tensor  # [E + 1, D]
    tail_bias: Tensor  # [E + 1]  -inf for the unknown
    unknown: int  # N + E, the row of everything unknown


class Own(NamedTuple):
    """The shoppers' own items, and what having had them adds to their scores."""

    row_rL: Tensor
    worth_rL: Tensor


class Best(NamedTuple):
    """Lists, best first: NO_ITEM, no score and the row of the unknown where there are no more."""

    item_rK: Tensor
    score_rK: Tensor
    row_rK: Tensor


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
        self._mean_bias = arrays["item_bias"].mean()
        self._nothing_new = self._extended(arrays["item_hash"][:0], arrays["item_vector"][:0])

    def score(self, asked: Tensors) -> dict[str, Tensor]:
        """Answer a "score" request: names, shapes and meanings as in the wire contract."""
        lookup = self._lookup(asked["extra_item"], asked["extra_vector"])
        row_BL = self._rows(lookup, asked["history_item"])
        given_BLD = self._given(asked, lookup, row_BL)
        user_BD = given_BLD.sum(dim=1)
        answer, row_BK = self._recommend(asked, lookup, row_BL, given_BLD, user_BD)
        self._add_rates(answer, row_BK, asked, lookup, user_BD)
        return answer

    def known(self, probe: Tensor) -> Tensor:
        """Which hashes this version knows. [P] uint8"""
        return (self._find(self.arrays["item_hash"], probe) < len(self.arrays["item_hash"])).to(torch.uint8)

    def _lookup(self, items: Tensor, vectors: Tensor) -> Lookup:
        return self._extended(items, vectors) if items.any() else self._nothing_new

    def _extended(self, items: Tensor, vectors: Tensor) -> Lookup:
        new = (self.known(items) == 0) & (items != NO_ITEM)
        items, order = items[new].sort(stable=True)
        first = torch.ones_like(items, dtype=torch.bool)
        first[1:] = items[1:] != items[:-1]
        tail = torch.cat([vectors[new][order][first], self.arrays["unknown_vector"].unsqueeze(0)])
        bias = self.arrays["new_bias"].expand(len(tail)).clone()
        bias[-1] = -torch.inf
        every = torch.cat([self.arrays["item_hash"], items[first], items.new_full((1,), NO_ITEM)])
        return Lookup(every, items[first], tail, bias, len(every) - 1)

    def _rows(self, lookup: Lookup, items: Tensor) -> Tensor:
        """Rows of items in version, extras, unknown; any shape."""
        n, e = len(self.arrays["item_hash"]), len(lookup.extra_item)
        row = self._find(self.arrays["item_hash"], items)
        if e == 0:
            return row
        extra = self._find(lookup.extra_item, items)
        return torch.where(row < n, row, torch.where(extra < e, n + extra, n + e))

    def _vectors(self, lookup: Lookup, rows: Tensor) -> Tensor:
        return self._with_tail(self.arrays["item_vector"], lookup, rows)

    def _with_tail(self, table_ND: Tensor, lookup: Lookup, rows: Tensor) -> Tensor:
        """A table's rows, and the tail's vectors for rows beyond it: few or none, so these are put in one by one."""
        n = len(table_ND)
        found = torch.nn.functional.embedding(rows.clamp(max=n - 1), table_ND)  # copies rows; indexing, numbers
        beyond = rows >= n
        found[beyond] = lookup.tail_vector[rows[beyond] - n]
        return found

    def _given(self, asked: Tensors, lookup: Lookup, row_BL: Tensor) -> Tensor:
        action, time = asked["history_action"], asked["history_time"]
        events_B = (action > 0).sum(dim=1)
        given = torch.zeros(*row_BL.shape, self.arrays["item_vector"].shape[1], device=row_BL.device)
        # Histories are right-aligned, and most are short: those of like length go together, their padding left out.
        by_length = events_B.argsort(descending=True, stable=True).split(_ROWS)
        for rows in by_length if len(by_length) > 1 else (slice(None),):
            some = slice(-max(int(events_B[rows].max()), _SHORTEST), None)
            vectors = self._vectors(lookup, row_BL[rows, some])
            given[rows, some] = self._encode(vectors, action[rows, some], time[rows, some], asked["now"][rows])
        return given

    def _recommend(
        self, asked: Tensors, lookup: Lookup, row_BL: Tensor, given_BLD: Tensor, user_BD: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """All of the answer but the click rates; and the rows of the lists' items. [B, K]"""
        count, device = len(user_BD), user_BD.device
        row_BK = torch.full((count, TOP_K), lookup.unknown, device=device)
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
            own = self._own(asked, row_BL, rows)
            best = self._retrieve(lookup, bias, user_BD[rows], own, asked["exclude"][rows], diversity)
            answer["rec_item"][rows], answer["rec_score"][rows], row_BK[rows] = best
            event, weight = self._reasons(lookup, given_BLD[rows], own, best)
            answer["reason_event"][rows], answer["reason_weight"][rows] = event, weight
            answer["reason_part"][rows] = self._parts(lookup, bias, user_BD[rows], best)
        return answer, row_BK

    def _add_rates(
        self, answer: dict[str, Tensor], row_BK: Tensor, asked: Tensors, lookup: Lookup, user_BD: Tensor
    ) -> None:
        """Click rates of lists and candidates, in one go."""
        listed = asked["recommend"].nonzero().squeeze(1)
        place = torch.arange(TOP_K, device=user_BD.device).repeat(len(listed))
        item = torch.cat([row_BK[listed].flatten(), self._rows(lookup, asked["candidate_item"])])
        who = torch.cat([listed.repeat_interleave(TOP_K), asked["candidate_row"].long()])
        place = torch.cat([place, asked["candidate_position"].long()])
        rate = self._rates(asked, lookup, user_BD, item, who, place)
        count = len(listed) * TOP_K
        answer["rec_ctr"][listed] = rate[:count].view(len(listed), TOP_K)
        answer["ctr"] = rate[count:]

    def _own(self, asked: Tensors, row_BL: Tensor, rows: Tensor) -> Own:
        action, time, now = (asked[name][rows] for name in ("history_action", "history_time", "now"))
        worth_rL = worth_again(action, time, now, self.arrays["again"])
        return Own(row_BL[rows], worth_rL)

    def _reasons(self, lookup: Lookup, given_rLD: Tensor, own: Own, best: Best) -> tuple[Tensor, Tensor]:
        same_rKL = best.row_rK.unsqueeze(2) == own.row_rL.unsqueeze(1)
        vectors = self._vectors(lookup, best.row_rK)
        share_rKL = vectors @ given_rLD.transpose(1, 2) + same_rKL * own.worth_rL.unsqueeze(1)
        return reasons(share_rKL, best.item_rK != NO_ITEM)

    def _parts(self, lookup: Lookup, bias: Tensor, user_rD: Tensor, best: Best) -> Tensor:
        """What an item's text, and its popularity beyond the mean item's, added to its score. [r, K, 2]"""
        # A new item is nothing but its text.
        text = self._with_tail(self.arrays["item_text"], lookup, best.row_rK)
        popular = bias[best.row_rK] - self._mean_bias
        part = torch.stack([torch.einsum("rkd,rd->rk", text, user_rD), popular], dim=-1)
        return torch.where((best.item_rK != NO_ITEM).unsqueeze(-1), part, 0.0)

    def _bias(self, asked: Tensors, lookup: Lookup) -> Tensor:
        """What each item scores before any history counts; -inf for what is withdrawn. [N + E + 1]"""
        bias = torch.cat([self.arrays["item_bias"], lookup.tail_bias])
        bias.index_add_(0, self._rows(lookup, asked["boost_item"]), asked["boost"])
        return bias.index_fill_(0, self._rows(lookup, asked["withdrawn"]), -torch.inf)

    def _retrieve(
        self, lookup: Lookup, bias: Tensor, user_rD: Tensor, own: Own, exclude_rX: Tensor, diversity: float
    ) -> Best:
        """The best items of each shopper, ties by hash; re-ranked where that is set."""
        most = _POOL if diversity > 0 else TOP_K + _MARGIN
        score, row = self._best(lookup, bias, user_rD, own, exclude_rX, most)
        order = lookup.every_item[row].argsort(dim=1)
        score, best = score.gather(1, order).sort(dim=1, descending=True, stable=True)
        row = row.gather(1, order.gather(1, best))
        if diversity > 0:
            place = marginal_relevance(score, self._vectors(lookup, row), diversity, min(TOP_K, score.shape[1]))
            row, score = row.gather(1, place), score.gather(1, place)
        pad, missing = torch.nn.functional.pad, max(0, TOP_K - row.shape[1])
        score = pad(score, (0, missing), value=-torch.inf)[:, :TOP_K]
        there = score > -torch.inf
        row = torch.where(there, pad(row, (0, missing))[:, :TOP_K], lookup.unknown)
        return Best(lookup.every_item[row], torch.where(there, score, 0.0), row)

    def _best(
        self, lookup: Lookup, bias: Tensor, user_rD: Tensor, own: Own, exclude_rX: Tensor, most: int
    ) -> tuple[Tensor, Tensor]:
        """Scores and rows of the best items, in no order among equals. Both parts are products of whole arrays."""
        row_Xr = torch.cat([own.row_rL, self._rows(lookup, exclude_rX)], dim=1).T
        change_Xr = torch.nn.functional.pad(own.worth_rL, (0, exclude_rX.shape[1]), value=-torch.inf).T
        n = len(self.arrays["item_hash"])
        # Items by shoppers, so that the table is read as it lies: the other way round, each product rearranges it.
        known_Nr = (self.arrays["item_vector"] @ user_rD.T).add_(bias[:n].unsqueeze(1))
        known_Nr.scatter_add_(0, row_Xr.clamp(max=n - 1), torch.where(row_Xr < n, change_Xr, 0.0))
        if not len(lookup.extra_item):  # what is left is the unknown, which nobody gets
            return top(known_Nr, min(most, n))
        tail_Er = (lookup.tail_vector @ user_rD.T).add_(bias[n:].unsqueeze(1))
        tail_Er.scatter_add_(0, (row_Xr - n).clamp(min=0), torch.where(row_Xr < n, 0.0, change_Xr))
        score, best = top(known_Nr, min(most, n))
        beyond = torch.arange(n, len(bias), device=best.device).expand(len(best), -1)
        score, at = torch.cat([score, tail_Er.T], dim=1).topk(min(most, len(bias)), dim=1)
        return score, torch.cat([best, beyond], dim=1).gather(1, at)

    def _rates(
        self, asked: Tensors, lookup: Lookup, user_BD: Tensor, item_M: Tensor, who_M: Tensor, place_M: Tensor
    ) -> Tensor:
        """Click probability of items (by row) for shoppers, pair by pair; NaN without a click head. [M]"""
        if self._click is None:
            return torch.full(item_M.shape, torch.nan, device=item_M.device)
        known_B = (asked["history_action"] > 0).sum(dim=1)
        n = len(self.arrays["item_hash"])
        parts: list[Tensor] = []
        pairs = zip(item_M.split(_CANDIDATES), who_M.split(_CANDIDATES), place_M.split(_CANDIDATES), strict=True)
        for rows, who, place in pairs:
            prior = self.arrays["item_prior"][rows.clamp(max=n - 1)]
            prior = torch.where(rows < n, prior, self.arrays["new_prior"])
            vectors = self._vectors(lookup, rows)
            logit = self._click(user_BD[who], vectors, prior, place, asked["context"][who], known_B[who])
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


def top(score_Nr: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """`score_Nr.T.topk(k)`, faster: the k best are among the k blocks whose own best are best. [r, k] each"""
    n, r = score_Nr.shape
    size = 1 << max(0, round(math.log2(n / k) / 2))
    blocks = n // size
    if blocks < 2 * k:
        return score_Nr.T.topk(k, dim=1)
    # Block b holds the items b, b + blocks, b + 2 * blocks and so on: its maximum is one of whole rows of memory.
    whole = score_Nr[: size * blocks].unflatten(0, (size, blocks))
    _, block_rk = whole.amax(dim=0).T.topk(k, dim=1, sorted=False)
    items = torch.arange(size, device=score_Nr.device) * blocks
    rest = torch.arange(size * blocks, n, device=score_Nr.device).expand(r, -1)
    place = torch.cat([(block_rk.unsqueeze(2) + items).flatten(1), rest], dim=1)
    score, at = score_Nr[place, torch.arange(r, device=place.device).unsqueeze(1)].topk(k, dim=1)
    return score, place.gather(1, at)


def reasons(share_rKL: Tensor, there_rK: Tensor) -> tuple[Tensor, Tensor]:
    """The events that added most to each score, and how much; -1 and 0 where none added. [r, K, R] each"""
    best, first = share_rKL.max(dim=2, keepdim=True)  # two passes, where `topk` sorts
    second = share_rKL.scatter(2, first, -torch.inf).max(dim=2, keepdim=True)
    weight, event = torch.cat([best, second.values], dim=2), torch.cat([first, second.indices], dim=2)
    counts = (weight > 0) & there_rK.unsqueeze(2)
    return torch.where(counts, event, -1).int(), torch.where(counts, weight, 0.0)
