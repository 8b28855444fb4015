"""Targets and windows: what comes next, and that no event is lost or seen twice."""

import numpy as np
import torch

from feature_repo.basics.actions import ACTION_CODE
from trainer.data.shop import Sequences
from trainer.data.windows import NO_TARGET, Windows, next_actions, next_items

VIEW, CART, PURCHASE, RETURN = (ACTION_CODE[a] for a in ("view", "add_to_cart", "purchase", "return"))


def sequences(*shoppers: list[int], actions: list[int] | None = None) -> Sequences:
    flat = [item for shopper in shoppers for item in shopper]
    return Sequences(
        np.array(flat, np.int64),
        np.array(actions or [VIEW] * len(flat), np.int32),
        np.arange(len(flat), dtype=np.int64) * 1000,
        np.cumsum([0, *map(len, shoppers)]),
    )


def test_the_next_item_is_another_one_and_of_the_same_shopper():
    assert next_items(sequences([1, 1, 2, 3, 3], [4, 5])).item.tolist() == [2, 2, 3, NO_TARGET, NO_TARGET, 5, NO_TARGET]


def test_an_item_that_alternates_finds_the_one_between():
    assert next_items(sequences([1, 2, 1, 1, 2])).item.tolist() == [2, 1, 2, 2, NO_TARGET]


def test_what_was_returned_was_not_wanted():
    assert next_items(sequences([1, 2, 3], actions=[VIEW, RETURN, VIEW])).item.tolist() == [3, 3, NO_TARGET]


def test_each_wish_has_a_next_item_of_its_own():
    source = sequences([1, 2, 2, 3], actions=[VIEW, CART, PURCHASE, VIEW])
    assert next_actions(source).item.tolist() == [[3, 2, 2], [3, NO_TARGET, NO_TARGET], [3, -1, -1], [-1, -1, -1]]


def test_an_epoch_asks_for_every_target_once():
    source = sequences(list(range(173)), [7, 8, 9])
    windows = Windows(source, next_items(source).item[:, None], np.zeros(176, np.int64))
    for seed in range(3):
        batches = windows.batches(100, np.random.default_rng(seed), torch.device("cpu"))
        targets = torch.cat([b.target[b.target != NO_TARGET] for b in batches])
        assert sorted(targets.tolist()) == sorted([*range(1, 173), 8, 9])


def test_a_window_is_aligned_to_the_right_and_padded_with_no_action():
    source = sequences([1, 2, 3], [4, 5])
    windows = Windows(source, next_items(source).item[:, None], np.zeros(5, np.int64))
    [batch] = windows.batches(100, np.random.default_rng(0), torch.device("cpu"))
    rows = {tuple(row) for row in batch.item.tolist()}
    assert rows == {(1, 2, 3), (0, 4, 5)}
    assert batch.action[batch.item[:, 0] == 0].tolist() == [[0, VIEW, VIEW]]
