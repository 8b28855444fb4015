"""How well a trained model recommends, beside popularity: asked as online, by the same scorer."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from msgspec import Struct, field

from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import TOP_K, Ints
from trainer.data.excluding import exclusions, listable, repeats_of
from trainer.data.score_requests import Case, as_tensors, request_of
from trainer.data.shop import Shop
from trainer.evaluation.lists.beyond_accuracy import NOTHING, BeyondAccuracy
from trainer.evaluation.lists.lists import Known, measure_lists, rows_of
from trainer.evaluation.moments import next_item_cases
from trainer.evaluation.ranking import Accuracy
from trainer.publishing.serving import Trained

_ROWS: Final = 256
_RECENT_MS: Final = 31 * 86_400_000


class Recall(Struct, frozen=True):
    """Mean share of wanted items among the first 20, and what lies beyond it."""

    cases: int
    model: float
    popular: float  # most wanted over all of training
    popular_lately: float  # most wanted in training's last 31 days
    accuracy: Accuracy
    beyond_accuracy: dict[str, BeyondAccuracy] = field(name="beyond")  # of the model, and of what is popular of late


def measure_next_item(trained: Trained, shop: Shop, split: int) -> Recall:
    """Recall@20 of the next wanted item, for targets from `split` (ms) on.

    Lists leave out what `HEADRACE_EXCLUDE=auto` does, so moments at which nothing else was wanted are not measured.
    """
    cases = listable(shop, next_item_cases(shop, split), repeats_of(trained.arrays))
    return measure(trained, shop, cases, split)


def measure(trained: Trained, shop: Shop, cases: Sequence[Case], split: int) -> Recall:
    """Recall@20 of the model and of popularity before `split` (ms), on the same cases."""
    known = known_before(trained, shop, split)
    exclude = exclusions(shop, cases, repeats_of(trained.arrays))
    model = measure_lists(recommend(trained, shop, cases), cases, known)
    ever, recent = (
        measure_lists(_popular(counts(shop, since, split), shop, exclude), cases, known)
        for since in (0, split - _RECENT_MS)
    )
    return Recall(
        len(cases),
        model.accuracy.recall,
        ever.accuracy.recall,
        recent.accuracy.recall,
        model.accuracy,
        {"model": model.beyond_accuracy, "popularity": recent.beyond_accuracy},
    )


def recommend(trained: Trained, shop: Shop, cases: Sequence[Case]) -> Ints:
    """The served scorer's lists, as item hashes, under the exclusion `auto`. [U, K]"""
    scorer, width, repeats = trained.scorer(), trained.model.config.width, repeats_of(trained.arrays)
    parts = [np.zeros((0, TOP_K), np.int64)]
    for at in range(0, len(cases), _ROWS):
        some = cases[at : at + _ROWS]
        tensors = request_of(shop, some, width)._replace(exclude=exclusions(shop, some, repeats))
        with torch.inference_mode():
            parts.append(scorer.score(as_tensors(tensors))["rec_item"].numpy())
    return np.concatenate(parts)


def known_before(trained: Trained, shop: Shop, split: int) -> Known:
    """What could be known of a shop's items before `split` (ms); items are told apart by their texts.

    The shop may have items that the model was not trained with: of their texts it knows nothing.
    """
    text_NT = trained.model.items.text_NT.float().cpu().numpy()
    row_N = rows_of(trained.arrays["item_hash"].numpy(), shop.item_hash)
    vector_NT = np.where((row_N != NOTHING)[:, None], text_NT[row_N], np.float32(0))
    return Known(shop.item_hash, counts(shop, 0, split), vector_NT)


def counts(shop: Shop, since: int, until: int) -> Ints:
    """Wanted events of each item in a period, ms. [N]"""
    sequences = shop.sequences
    counted = sequences.wanted & (sequences.time >= since) & (sequences.time < until)
    return np.bincount(sequences.item[counted], minlength=len(shop.item_hash))


def _popular(count_N: Ints, shop: Shop, exclude_UX: Ints) -> Ints:
    """The most wanted items, for everyone but for what each moment leaves out. [U, K]"""
    most = TOP_K + exclude_UX.shape[1]
    best = shop.item_hash[np.argsort(-count_N, kind="stable")[:most]]
    lists = np.full((len(exclude_UX), TOP_K), NO_ITEM, np.int64)
    for row, exclude in enumerate(exclude_UX):
        listed = best[~np.isin(best, exclude)][:TOP_K]
        lists[row, : len(listed)] = listed
    return lists
