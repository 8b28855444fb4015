"""Answer requests from traced programs and plain tensors: retrieval, exclusion, ranking, reasons, click rates.

Stands alone in a version's folder, beside what it imports and `model.py`: torch and the standard library only. Shape
letters: B shoppers, r of them at once, L events of history, l of the longest among r, N items, E extra items, D width,
K recommended items, R reasons, M pairs of shopper and item, C context pairs.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from .diversity import marginal_relevance
from .items import NO_ITEM, Context, Items, Lookup, Tensors
from .list_rules import TOP_K, Rules, excluded_by_category, pins_first, rules_of, share
from .reasons import REASONS, eligible_events, reasons
from .retrieval import OwnItems, best_items
from .returning import repurchase_boost

_MARGIN = 12
"""Items beyond K that are ranked too, so that items of equal score are cut off by hash and not by chance."""
_POOL = 100
"""Items that re-ranking for diversity chooses from."""
_ROWS = 64
"""Shoppers at once: bounds the [N, r] scores that are in memory together."""
_PAIRS = _ROWS * TOP_K
"""Pairs at once whose click rate is asked for. What a pair takes goes through the head in some kilobytes: 8,000 at once
do not fit a core's cache, and took half as long again."""
_SHORTEST = 3
"""Events that the traced encoder takes at least."""


class ShopperGroup(NamedTuple):
    """Shoppers that are answered together, because their histories are of like length.

    Attributes:
        rows: their places in the request. [r] or all
        events: the places in a history that hold all of theirs.
    """

    rows: Tensor | slice
    events: slice


class Request(NamedTuple):
    """What is asked, and what is the same for all its shoppers."""

    tensors: Tensors
    shop: Context
    row_BL: Tensor
    rules: Rules

    @property
    def lookup(self) -> Lookup:
        """The items of the version and of the request."""
        return self.shop.lookup

    @property
    def bias(self) -> Tensor:
        """What each item scores for everyone. [N + E + 1]"""
        return self.shop.bias


class Best(NamedTuple):
    """Lists, best first: NO_ITEM, no score and the row of the unknown where there are no more."""

    item_rK: Tensor
    score_rK: Tensor
    row_rK: Tensor


class ServedScorer:
    """A trained version, ready to answer."""

    def __init__(
        self,
        arrays: Tensors,
        encode: Callable[..., tuple[Tensor, Tensor]],
        click: Callable[..., Tensor] | None,
        diversity: float = 0.0,
    ) -> None:
        """Args:
        arrays: `item_hash` [N] sorted, `item_vector` [N, D], `item_text` [N, D] (the part of it that the item's text
            makes), `item_bias` [N], `item_prior` [N], `unknown_vector` [D], `new_bias` [1], `new_prior` [1],
            `popular` [100], `again` [2] (`returning.worth_again`), `list_rate` [2] (slope and shift that make log
            odds of items that were shown those of items that the version itself chose; absent in older versions).
        encode: (item [B, L, D], action [B, L], time [B, L], now [B]) to the user vector [B, D], and what it would
            be without each event [B, L, D].
        click: (user [M, D], item [M, D], prior [M], place [M], context [M, C], known [M]) to logits [M], or None.
        diversity: from 0, lists in order of score, to 1: how much less of the same a list should hold; for requests
            that do not say so themselves.
        """
        self.arrays = arrays
        self.items = Items(arrays)
        self.encode = encode
        self._click = click
        self._diversity = share(diversity)

    def score(self, tensors: Tensors, context: Context | None = None) -> dict[str, Tensor]:
        """Answer a "score" request: names, shapes and meanings as in the wire contract.

        Args:
            context: in place of the one that the request brings along.
        """
        shop = context or self.items.context(tensors)
        row_BL = self.items.rows(shop.lookup, tensors["history_item"])
        request = Request(tensors, shop, row_BL, rules_of(tensors, self._diversity))
        count, device = len(row_BL), row_BL.device
        user_BD = torch.zeros(count, self.items.table.shape[1], device=device)
        row_BK = torch.full((count, request.rules.length), shop.lookup.unknown, device=device)
        answer = _empty_answer(count, request.rules.length, device)
        for group in _by_length(tensors):
            user_BD[group.rows], without_rlD = self._encoded(request, group)
            with_lists, theirs_rlD = _with_lists(tensors, group, without_rlD)
            if len(theirs_rlD):
                user_rD = user_BD[with_lists.rows]
                row_BK[with_lists.rows] = self._recommend(request, with_lists, theirs_rlD, user_rD, answer)
        self._add_rates(request, user_BD, row_BK, answer)
        return answer

    def known(self, probe: Tensor) -> Tensor:
        """Which hashes this version knows. [P] uint8"""
        return self.items.known(probe)

    def _encoded(self, request: Request, group: ShopperGroup) -> tuple[Tensor, Tensor]:
        """The shoppers' vectors [r, D], and what they would be without each event [r, l, D]."""
        vectors = self.items.vectors(request.lookup, request.row_BL[group.rows, group.events])
        return self.encode(vectors, *_history(request.tensors, group))

    def _recommend(
        self, request: Request, group: ShopperGroup, without_rlD: Tensor, user_rD: Tensor, answer: dict[str, Tensor]
    ) -> Tensor:
        """Fill in all of the answer but the click rates; the rows of the lists' items. [r, K]"""
        rows = group.rows
        boost_rl = repurchase_boost(*_history(request.tensors, group), self.arrays["again"])
        own = OwnItems(request.row_BL[rows, group.events], boost_rl)
        best = self._retrieve(request, user_rD, own, rows)
        answer["rec_item"][rows], answer["rec_score"][rows], row_rK = best
        event, weight = self._reasons(request, group, (user_rD, without_rlD), own, best)
        before = request.row_BL.shape[1] - without_rlD.shape[1]  # places that these histories leave empty
        answer["reason_event"][rows] = torch.where(event < 0, event, event + before)
        answer["reason_weight"][rows] = weight
        answer["reason_part"][rows] = self._parts(request, user_rD, best)
        return row_rK

    def _retrieve(self, request: Request, user_rD: Tensor, own: OwnItems, rows: Tensor | slice) -> Best:
        """The best items of each shopper, ties by hash; re-ranked where that is set, what is pinned first."""
        lookup, bias, rules = request.lookup, request.bias, request.rules
        exclude_rX, excluded_Nr, k = request.tensors["exclude"][rows], _excluded(request, rows), rules.length
        pins = None
        if rules.pinned is not None:
            pinned_rP = rules.pinned[rows]
            pins = self._pinned(request, user_rD, own, exclude_rX, pinned_rP, excluded_Nr)
            exclude_rX = torch.cat([exclude_rX, pinned_rP], dim=1)
        most = k + _MARGIN if rules.diversity is None else _POOL
        score, row = best_items(self.items, lookup, bias, user_rD, own, exclude_rX, most, excluded_Nr)
        score, row = _in_order(lookup, score, row)
        if rules.diversity is not None:
            vectors = self.items.vectors(lookup, row)
            diversity = rules.diversity[rows] if len(rules.diversity) > 1 else rules.diversity
            place = marginal_relevance(score, vectors, diversity.unsqueeze(1), min(k, score.shape[1]))
            row, score = row.gather(1, place), score.gather(1, place)
        if pins is not None:
            score, row = pins_first(pins, (score, row))
        pad, missing = torch.nn.functional.pad, max(0, k - row.shape[1])
        score = pad(score, (0, missing), value=-torch.inf)[:, :k]
        present = score > -torch.inf
        row = torch.where(present, pad(row, (0, missing))[:, :k], lookup.unknown)
        return Best(lookup.every_item[row], torch.where(present, score, 0.0), row)

    def _pinned(
        self,
        request: Request,
        user_rD: Tensor,
        own: OwnItems,
        exclude_rX: Tensor,
        pinned_rP: Tensor,
        excluded_Nr: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Scores and rows of pinned items, best first; -inf for what a shopper is not to get. [r, P] each"""
        row_rP = self.items.rows(request.lookup, pinned_rP)
        same_rPl = row_rP.unsqueeze(2) == own.row_rL.unsqueeze(1)
        boost_rP = (same_rPl * own.boost_rL.unsqueeze(1)).sum(dim=2)
        vectors = self.items.vectors(request.lookup, row_rP)
        score_rP = (vectors * user_rD.unsqueeze(1)).sum(dim=2) + request.bias[row_rP] + boost_rP
        excluded_rP = (pinned_rP.unsqueeze(2) == exclude_rX.unsqueeze(1)).any(dim=2)
        if excluded_Nr is not None:
            excluded_rP |= excluded_Nr.T.gather(1, row_rP)
        return _in_order(request.lookup, score_rP.masked_fill(excluded_rP, -torch.inf), row_rP)

    def _reasons(
        self, request: Request, group: ShopperGroup, shoppers: tuple[Tensor, Tensor], own: OwnItems, best: Best
    ) -> tuple[Tensor, Tensor]:
        """The events without which an item would lead the catalogue's mean by less, and by how much. [r, K, R] each"""
        same_rKl = best.row_rK.unsqueeze(2) == own.row_rL.unsqueeze(1)
        vectors = self.items.vectors(request.lookup, best.row_rK) - self.items.mean_vector
        user_rD, without_rlD = shoppers
        lead_rK1, left_rKl = vectors @ user_rD.unsqueeze(2), vectors @ without_rlD.transpose(1, 2)
        weight_rKl = lead_rK1 - left_rKl + same_rKl * own.boost_rL.unsqueeze(1)
        action_rl = request.tensors["history_action"][group.rows, group.events]
        eligible_rl = eligible_events(action_rl) & self.items.informative(request.lookup, own.row_rL)
        return reasons(weight_rKl, own.row_rL, eligible_rl, best.item_rK != NO_ITEM)

    def _parts(self, request: Request, user_rD: Tensor, best: Best) -> Tensor:
        """What an item's text, and its popularity, add to its score beyond what the mean item's do. [r, K, 2]"""
        text = self.items.text_parts(request.lookup, best.row_rK) - self.items.mean_text
        popular = request.bias[best.row_rK] - self.items.mean_bias
        part = torch.stack([torch.einsum("rkd,rd->rk", text, user_rD), popular], dim=-1)
        return torch.where((best.item_rK != NO_ITEM).unsqueeze(-1), part, 0.0)

    def _add_rates(self, request: Request, user_BD: Tensor, row_BK: Tensor, answer: dict[str, Tensor]) -> None:
        """Click rates of lists and candidates, in one go."""
        tensors = request.tensors
        listed = (tensors["recommend"] > 0).nonzero().squeeze(1)
        k = row_BK.shape[1]
        place = torch.arange(k, device=user_BD.device).repeat(len(listed))
        item = torch.cat([row_BK[listed].flatten(), self.items.rows(request.lookup, tensors["candidate_item"])])
        who = torch.cat([listed.repeat_interleave(k), tensors["candidate_row"].long()])
        place = torch.cat([place, tensors["candidate_position"].long()])
        logit = self._rates(request, user_BD, item, who, place)
        count = len(listed) * k
        of_list = logit[:count].view(len(listed), k)
        if "list_rate" in self.arrays:
            slope, shift = self.arrays["list_rate"]
            of_list = slope * of_list + shift
        answer["rec_ctr"][listed] = of_list.sigmoid()
        answer["ctr"] = logit[count:].sigmoid()

    def _rates(self, request: Request, user_BD: Tensor, item_M: Tensor, who_M: Tensor, place_M: Tensor) -> Tensor:
        """Log odds of clicks on items (by row) by shoppers, pair by pair; NaN without a click head. [M]"""
        if self._click is None:
            return torch.full(item_M.shape, torch.nan, device=item_M.device)
        tensors = request.tensors
        known_B = (tensors["history_action"] > 0).sum(dim=1)
        parts: list[Tensor] = []
        for rows, who, place in zip(*(whole.split(_PAIRS) for whole in (item_M, who_M, place_M)), strict=True):
            vectors, prior = self.items.vectors(request.lookup, rows), self.items.prior(rows)
            parts.append(self._click(user_BD[who], vectors, prior, place, tensors["context"][who], known_B[who]))
        return torch.cat(parts)


def _by_length(tensors: Tensors) -> Iterator[ShopperGroup]:
    """All shoppers of a request. Histories are right-aligned, and most are short: their padding is left out."""
    events_B = (tensors["history_action"] > 0).sum(dim=1)
    if len(events_B) <= _ROWS:  # in one go, without a copy
        yield ShopperGroup(slice(None), _last(int(events_B.max())))
        return
    first_B = tensors["history_action"].shape[1] * (tensors["recommend"] > 0)  # those who want no list go together too
    for rows in (first_B + events_B).argsort(descending=True, stable=True).split(_ROWS):
        yield ShopperGroup(rows, _last(int(events_B[rows].max())))


def _with_lists(tensors: Tensors, group: ShopperGroup, without_rlD: Tensor) -> tuple[ShopperGroup, Tensor]:
    """Those of some shoppers who want a list, and what their vectors would be without each event."""
    wanted_r = tensors["recommend"][group.rows] > 0
    if wanted_r.all():
        return group, without_rlD
    at = wanted_r.nonzero().squeeze(1)
    return ShopperGroup(at if isinstance(group.rows, slice) else group.rows[at], group.events), without_rlD[at]


def _last(events: int) -> slice:
    return slice(-max(events, _SHORTEST), None)


def _history(tensors: Tensors, group: ShopperGroup) -> tuple[Tensor, Tensor, Tensor]:
    """Actions [r, l] and times [r, l] of some shoppers, and what time it is for them [r]."""
    rows, events = group.rows, group.events
    return tensors["history_action"][rows, events], tensors["history_time"][rows, events], tensors["now"][rows]


def _in_order(lookup: Lookup, score: Tensor, row: Tensor) -> tuple[Tensor, Tensor]:
    """The best first, ties by hash."""
    order = lookup.every_item[row].argsort(dim=1)
    score, best = score.gather(1, order).sort(dim=1, descending=True, stable=True)
    return score, row.gather(1, order.gather(1, best))


def _excluded(request: Request, rows: Tensor | slice) -> Tensor | None:
    """What is in none of the categories that lists are held to, where some are. [N + E + 1, r]"""
    kept = request.rules.kept
    return None if kept is None else excluded_by_category(request.shop.kinds, kept[rows], len(request.bias))


def _empty_answer(count: int, k: int, device: torch.device) -> dict[str, Tensor]:
    """An answer that says nothing of anybody."""
    return {
        "rec_item": torch.full((count, k), NO_ITEM, dtype=torch.int64, device=device),
        "rec_score": torch.zeros(count, k, device=device),
        "rec_ctr": torch.full((count, k), torch.nan, device=device),
        "reason_event": torch.full((count, k, REASONS), -1, dtype=torch.int32, device=device),
        "reason_weight": torch.zeros(count, k, REASONS, device=device),
        "reason_part": torch.zeros(count, k, 2, device=device),
    }
