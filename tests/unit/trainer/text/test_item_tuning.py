"""The installed text encoder, and fine-tuning on a shop's own pairs."""

import numpy as np
import pytest
import torch
from small_shop import FittedShop

from headrace.errors import UsageError
from trainer.text.encoder import embed, load_text_model
from trainer.text.matching.item_tuning import contrastive_loss, fine_tune, partner_recall
from trainer.text.matching.pairs import Pairs, session_pairs

CPU = torch.device("cpu")


def test_the_installed_encoder_finds_like_titles_close():
    texts = ["red ceramic teapot", "china tea pot, crimson", "wireless keyboard"]
    vectors = embed(load_text_model(None, CPU), texts, CPU, lambda _: None)
    near = vectors @ vectors.T
    assert torch.allclose(near.diagonal(), torch.ones(3), atol=1e-5)
    assert near[0, 1] > near[0, 2] + 0.3


def test_an_encoder_that_is_not_there_is_wrong_usage(tmp_path):
    with pytest.raises(UsageError, match="--text-encoder"):
        load_text_model(str(tmp_path), CPU)


def test_pairs_are_of_one_session_and_the_last_are_held_back(fitted_shop: FittedShop):
    split = int(np.quantile(fitted_shop.shop.sequences.time, 0.8))
    pairs = session_pairs(fitted_shop.shop.sequences, split)
    assert len(pairs.train) > 3 * len(pairs.held_back) > 0
    assert (pairs.train[:, 0] != pairs.train[:, 1]).all()


def test_fine_tuning_is_kept_when_it_brings_partners_closer():
    """In this shop what goes together has one colour, whatever the pretrained encoder thinks of the things."""
    colours = ("red", "blue", "green", "white", "black", "yellow", "pink", "grey", "brown", "purple")
    things = ("mug", "sofa", "drill", "scarf", "lamp", "ball", "rope", "comb", "tent", "vase", "sled", "harp")
    titles = [f"{colour} {thing}" for thing in things for colour in colours]
    dice = np.random.default_rng(0)
    first, steps = dice.integers(0, len(titles), 3_000), dice.integers(1, len(things), 3_000)
    pairs = np.stack([first, (first + len(colours) * steps) % len(titles)], axis=1)
    torch.manual_seed(0)
    tuned = fine_tune(load_text_model(None, CPU), titles, Pairs(pairs[:2_500], pairs[2_500:]), 0, lambda *_: None)
    assert tuned.kept
    assert tuned.tuned_recall > 0.95 > tuned.frozen_recall
    assert partner_recall(tuned.vectors, pairs[2_500:]) == pytest.approx(tuned.tuned_recall)


def test_with_few_pairs_the_pretrained_encoder_stays(tiny_encoder: str):
    few = np.array([[0, 1]] * 10)
    tuned = fine_tune(load_text_model(tiny_encoder, CPU), ["a", "b", "c"], Pairs(few, few), 0, lambda *_: None)
    assert not tuned.kept


def test_a_second_copy_of_an_item_is_no_wrong_answer():
    vectors = torch.nn.functional.normalize(torch.eye(4)[[0, 0, 1, 1]].view(2, 2, 4), dim=-1)
    alone = contrastive_loss(vectors, torch.tensor([[0, 1], [2, 3]]))
    twice = contrastive_loss(vectors[[0, 0, 1]], torch.tensor([[0, 1], [0, 1], [2, 3]]))
    assert torch.allclose(alone, twice, atol=1e-3)
