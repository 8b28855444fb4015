"""Matching items of two shops."""

import numpy as np
import pytest
import torch

from trainer.text.encoder import TextModel
from trainer.text.finetuning.adaptation import Method
from trainer.text.matching.matching import evaluate_matching, fit_pairs, hard_batches, match, only, recalls
from trainer.text.matching.shop import Shops, split_pairs

_COLOURS = ("red", "blue", "green", "white", "black", "yellow", "pink", "grey")
_THINGS = ("mug", "sofa", "drill", "scarf", "lamp", "ball")
_STRANGE = dict(zip(_COLOURS, ("rouge", "azure", "emerald", "ivory", "jet", "amber", "rose", "ash"), strict=True))


@pytest.fixture(scope="module")
def shops() -> Shops:
    """One shop's words for colours are not the other's. 48 pairs."""
    both = [(f"{colour} {thing}", f"{thing} in {_STRANGE[colour]}") for thing in _THINGS for colour in _COLOURS]
    rows = np.arange(len(both))
    return Shops([one for one, _ in both], [other for _, other in both], np.stack([rows, rows], axis=1))


def silent(what: str, done: int, total: int, note: str) -> None:
    """No progress."""


def test_pairs_teach_what_the_other_shop_calls_a_thing(small_model: TextModel, shops: Shops):
    train, test = split_pairs(shops.pair_n2, 0.7, 0)
    tuned = fit_pairs(small_model, shops, train, Method.FULL, 3e-3, 30, 0, silent)
    before, after = match(small_model, shops, test), match(tuned, shops, test)
    assert after.first_to_second.at_1 > before.first_to_second.at_1 + 0.2
    assert after.second_to_first.at_1 > before.second_to_first.at_1 + 0.2


def test_frozen_is_the_encoder_as_it_is(small_model: TextModel, shops: Shops):
    found = evaluate_matching(small_model, shops, 0.5, Method.FROZEN, 3, 0, silent)
    assert found.tuned == found.frozen


def test_recall_counts_a_match_among_the_nearest():
    first = torch.eye(12)
    second = torch.eye(12)[[1, 0, *range(2, 12)]] + 0.5 * torch.eye(12)  # the first two lie nearer to each other's
    found = recalls(first, second, np.array([[0, 0], [1, 1], [2, 2], [3, 3]]))
    assert found.first_to_second.at_1 == 0.5
    assert found.first_to_second.at_5 == found.second_to_first.at_10 == 1


def test_hard_batches_show_every_pair_once_beside_its_likes():
    angle = torch.linspace(0, 3, 100)
    vectors = torch.stack([angle.cos(), angle.sin()], dim=1)
    pairs = np.stack([np.arange(100), np.arange(100)], axis=1)
    batches = hard_batches(vectors, vectors, pairs, np.random.default_rng(0))
    assert sorted(np.concatenate(batches).tolist()) == list(range(100))
    assert np.ptp(batches[0]) < 70 or np.ptp(batches[1]) < 70  # of 99: by chance a batch of 32 spans nearly all


def test_a_split_by_seed_has_every_pair_once(shops: Shops):
    train, test = split_pairs(shops.pair_n2, 0.5, 3)
    assert len(train) == len(test) == 24
    assert not set(train[:, 0]) & set(test[:, 0])


def test_of_items_outside_the_pairs_nothing_is_seen_and_one_in_two_pairs_stays_one():
    shops = Shops(["a", "b", "c"], ["x", "y", "z"], np.array([[0, 2], [2, 2]]))
    seen, pairs = only(shops, shops.pair_n2)
    assert (seen.first, seen.second, pairs.tolist()) == (["a", "c"], ["z"], [[0, 0], [1, 0]])
