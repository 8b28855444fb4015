"""Learn which items are bought again: how often by those who come back, and how often it must be to stay in lists.

A rate is the share of the shoppers with an item who bought it once more, of those who bought anything on a later visit.
Few sales say little, so an item's rate leans on that of its category, and this on the shop's. What rate is enough is
chosen by held-back purchases. N items.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.shoppers.shopper import SESSION_GAP_MS
from headrace.arrays import Ints
from trainer.data.score_requests import Case
from trainer.data.shop import Shop
from trainer.data.windows import NO_TARGET, next_items
from trainer.evaluation.moments import basket_cases, cases_of
from trainer.evaluation.ranking import hits
from trainer.evaluation.recall import recommend
from trainer.publishing.serving import Trained

Flags = NDArray[np.bool_]
Reals = NDArray[np.float64]

LEVELS: Final = (0.4, 0.3, 0.2)
"""Rates that may be enough, besides that none is. What fewer than one in five buy again is no staple: on simulated
shops, whose shoppers' tastes stand still, lists found more with all that was bought, and were read as a mistake."""
_PRIOR: Final = 10.0
"""Shoppers that a category's rate counts for in an item's, and the shop's in a category's."""
_SURE: Final = 2.0
"""Standard errors by which lists must find more with repeats than without."""
_MOST: Final = 1_000
_PURCHASE: Final = ACTION_CODE["purchase"]


def repeat_rates(shop: Shop, until: int) -> Reals:
    """Of each item, by purchases before `until` (ms). [N]"""
    again_N, chances_N = _counted(shop, until)
    kind_N = np.unique([names[-1] if names else "" for names in shop.categories], return_inverse=True)[1]
    overall = (again_N.sum() + 1.0) / (chances_N.sum() + 2.0)
    kinds = int(kind_N.max(initial=0)) + 1
    again_K, chances_K = (np.bincount(kind_N, count_N, kinds) for count_N in (again_N, chances_N))
    rate_K = (again_K + _PRIOR * overall) / (chances_K + _PRIOR)
    return (again_N + _PRIOR * rate_K[kind_N]) / (chances_N + _PRIOR)


def choose_level(trained: Trained, shop: Shop, split: int) -> float | None:
    """The repeat rate from `LEVELS` with which lists find most of what is bought after `split` (ms); None for none.

    None also where that is not surely more than is found when everything bought is left out.
    """
    every = _purchase_cases(shop, split), basket_cases(shop, split)
    kinds = [cases[:: max(1, -(-len(cases) // _MOST))] for cases in every]
    if not all(kinds):
        return None
    rate_N = repeat_rates(shop, split)
    without = _found(trained.with_repeats(np.zeros(len(rate_N), np.bool_)), shop, kinds)
    found = [_found(trained.with_repeats(rate_N >= level), shop, kinds) for level in LEVELS]
    best = int(np.argmax([_mean(one) for one in found]))
    gain = [more - less for more, less in zip(found[best], without, strict=True)]
    error = float(np.sqrt(sum(g.var() / len(g) for g in gain))) / len(gain)
    return LEVELS[best] if _mean(gain) > _SURE * error else None


def bought_again(shop: Shop, level: float | None) -> Flags:
    """Which items stay in the lists of those who have bought them. [N]"""
    if level is None:
        return np.zeros(len(shop.item_hash), np.bool_)
    return repeat_rates(shop, 1 << 62) >= level


def _counted(shop: Shop, until: int) -> tuple[Reals, Reals]:
    """Shoppers who bought each item again on a later visit, and those who bought anything on one. [N] each"""
    sequences, n = shop.sequences, len(shop.item_hash)
    again_N, chances_N = np.zeros(n), np.zeros(n)
    counted = (sequences.action == _PURCHASE) & (sequences.time < until)
    for begin, end in zip(sequences.start[:-1], sequences.start[1:], strict=True):
        mine = counted[begin:end]
        item, time = sequences.item[begin:end][mine], sequences.time[begin:end][mine]
        if not len(item) or time[-1] - time[0] <= SESSION_GAP_MS:
            continue
        own, first, place = np.unique(item, return_index=True, return_inverse=True)
        last = np.zeros(len(own), np.int64)
        np.maximum.at(last, place, time)
        chances_N[own] += time[-1] - time[first] > SESSION_GAP_MS
        again_N[own] += last - time[first] > SESSION_GAP_MS
    return again_N, chances_N


def _purchase_cases(shop: Shop, split: int) -> list[Case]:
    """Moments after which something is bought: the next item bought, other than the event's own."""
    targets = next_items(shop.sequences, (shop.sequences.action == _PURCHASE))
    at = np.flatnonzero((targets.item != NO_TARGET) & (targets.time >= split))
    return cases_of(shop, at, targets.item)


def _found(trained: Trained, shop: Shop, kinds: Sequence[Sequence[Case]]) -> list[Reals]:
    """Share of what was wanted that each list holds, kind by kind of moments."""
    return [_shares(recommend(trained, shop, cases), cases) for cases in kinds]


def _shares(list_UK: Ints, cases: Sequence[Case]) -> Reals:
    hit_UK = hits(list_UK, [case.relevant for case in cases])
    return hit_UK.sum(axis=1) / np.array([len(case.relevant) for case in cases])


def _mean(kinds: Sequence[Reals]) -> float:
    return float(np.mean([shares.mean() for shares in kinds]))
