"""How well a trained model recommends, beside popularity: asked as online, by the same scorer."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from msgspec import Struct

from feature_repo.identity import NO_ITEM
from streams.messages.wire import TOP_K, Ints
from trainer.data.asking import Case, as_tensors, request_of
from trainer.data.shop import Shop
from trainer.measure.beyond import NOTHING, Beyond
from trainer.measure.lists import Known, measure_lists, rows_of
from trainer.measure.moments import next_item_cases
from trainer.measure.ranking import Accuracy
from trainer.publishing.serving import Trained

_ROWS: Final = 256
_LATELY_MS: Final = 31 * 86_400_000


class Recall(Struct, frozen=True):
    """Mean share of wanted items among the first 20, and what lies beyond it."""

    cases: int
    model: float
    popular: float  # most wanted over all of training
    popular_lately: float  # most wanted in training's last 31 days
    accuracy: Accuracy
    beyond: dict[str, Beyond]  # of the model, and of what is popular of late


def measure_next_item(trained: Trained, shop: Shop, split: int) -> Recall:
    """Recall@20 of the next wanted item, for targets from `split` (ms) on; the event's own item is excluded."""
    return measure(trained, shop, next_item_cases(shop, split), split)


def measure(trained: Trained, shop: Shop, cases: Sequence[Case], split: int) -> Recall:
    """Recall@20 of the model and of popularity before `split` (ms), on the same cases."""
    known = known_before(trained, shop, split)
    model = measure_lists(recommend(trained, shop, cases), cases, known)
    ever, lately = (
        measure_lists(_popular(counts(shop, since, split), shop, cases), cases, known)
        for since in (0, split - _LATELY_MS)
    )
    return Recall(
        len(cases),
        model.accuracy.recall,
        ever.accuracy.recall,
        lately.accuracy.recall,
        model.accuracy,
        {"model": model.beyond, "popularity": lately.beyond},
    )


def recommend(trained: Trained, shop: Shop, cases: Sequence[Case]) -> Ints:
    """The served scorer's lists, as item hashes. [U, K]"""
    scorer, width = trained.scorer(), trained.model.config.width
    parts = [np.zeros((0, TOP_K), np.int64)]
    for at in range(0, len(cases), _ROWS):
        asked = request_of(shop, cases[at : at + _ROWS], width)
        with torch.inference_mode():
            parts.append(scorer.score(as_tensors(asked))["rec_item"].numpy())
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


def _popular(count_N: Ints, shop: Shop, cases: Sequence[Case]) -> Ints:
    """The most wanted items, for everyone but for what a case excludes. [U, K]"""
    best = np.full(TOP_K + 1, NO_ITEM, np.int64)
    most = shop.item_hash[np.argsort(-count_N, kind="stable")[: TOP_K + 1]]
    best[: len(most)] = most
    lists = [best[(best != case.exclude) | (best == NO_ITEM)][:TOP_K] for case in cases]
    return np.stack(lists) if lists else np.zeros((0, TOP_K), np.int64)
