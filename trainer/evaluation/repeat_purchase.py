"""Choose the repurchase boost of a shopper's own items by held-back moments."""

from itertools import product
from typing import Final

import numpy as np

from trainer.data.score_requests import Case
from trainer.data.shop import Shop
from trainer.evaluation.moments import basket_cases, next_item_cases
from trainer.evaluation.ranking import hits
from trainer.evaluation.recall import recommend
from trainer.publishing.serving import NO_REPURCHASE_BOOST, Trained

_DAY_MS: Final = 86_400_000.0
_WEIGHTS: Final = (0.5, 1.0, 2.0, 4.0, 8.0)
_HALF_LIVES: Final = (30 * _DAY_MS, 180 * _DAY_MS)
_MOST: Final = 1_000


def choose_repurchase_boost(trained: Trained, shop: Shop, split: int) -> tuple[float, float]:
    """Weight and half-life (ms) that find most: mean of Recall@20 of next items and of baskets after `split` (ms).

    There is no boost where it finds no more, or where no basket follows anything.
    """
    kinds = [_thinned(cases) for cases in (next_item_cases(shop, split), basket_cases(shop, split))]
    if not all(kinds):
        return NO_REPURCHASE_BOOST
    candidates = [NO_REPURCHASE_BOOST, *product(_WEIGHTS, _HALF_LIVES)]
    found = [_found(trained.with_repurchase_boost(boost), shop, kinds) for boost in candidates]
    return candidates[int(np.argmax(found))]


def _found(trained: Trained, shop: Shop, kinds: list[list[Case]]) -> float:
    return float(np.mean([_recall(trained, shop, cases) for cases in kinds]))


def _recall(trained: Trained, shop: Shop, cases: list[Case]) -> float:
    hit_UK = hits(recommend(trained, shop, cases), [case.relevant for case in cases])
    return float(np.mean(hit_UK.sum(axis=1) / np.array([len(case.relevant) for case in cases])))


def _thinned(cases: list[Case]) -> list[Case]:
    return cases[:: max(1, -(-len(cases) // _MOST))]
