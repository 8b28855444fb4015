"""Ranks and what is computed from them, held against definitions written out the long way."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.evaluation.ranking import accuracy_of_lists, accuracy_of_ranks, hits, pessimistic_ranks

SCORES = st.lists(st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=5, max_size=5), min_size=1, max_size=8)
RANKS = st.lists(st.integers(1, 30), min_size=1, max_size=40)


@given(SCORES, st.integers(0, 4))
def test_a_rank_counts_every_item_that_is_not_below_the_wanted_one(rows, wanted):
    scores = np.array(rows, np.float32)
    ranks = pessimistic_ranks(scores, np.full(len(rows), wanted))
    assert ranks.tolist() == [sum(other >= row[wanted] for other in row) for row in rows]


def test_a_model_that_scores_all_items_alike_earns_nothing():
    ranks = pessimistic_ranks(np.zeros((3, 50), np.float32), np.array([0, 20, 49]))
    assert ranks.tolist() == [50, 50, 50]
    assert accuracy_of_ranks(ranks, 10).hit == 0


def test_a_score_that_is_no_number_is_never_found():
    scores = np.array([[np.nan, 1.0, 0.0], [np.nan, 1.0, 0.0]], np.float32)
    assert pessimistic_ranks(scores, np.array([0, 1])).tolist() == [3, 2]


def test_what_is_excluded_does_not_stand_in_the_way():
    assert pessimistic_ranks(np.array([[-np.inf, 1.0, 3.0]]), np.array([1])).tolist() == [2]


def test_half_precision_is_refused():
    with pytest.raises(ValueError, match="float32"):
        pessimistic_ranks(np.zeros((1, 2), np.float16), np.array([0]))


@given(RANKS, st.integers(1, 20))
def test_one_wanted_item_is_measured_alike_by_rank_and_by_list(ranks, k):
    lists = np.array([[7 if place == rank else 100 + place for place in range(1, k + 1)] for rank in ranks])
    listed = accuracy_of_lists(hits(lists, [frozenset([7])] * len(ranks)), np.ones(len(ranks), np.int64))
    ranked = accuracy_of_ranks(np.array(ranks), k)
    for name in ("k", "moments", "hit", "ndcg", "mrr", "recall"):
        assert getattr(listed, name) == pytest.approx(getattr(ranked, name))


@given(RANKS, st.integers(1, 20))
def test_figures_lie_between_their_bounds(ranks, k):
    found = accuracy_of_ranks(np.array(ranks), k)
    assert 0 <= found.mrr <= found.ndcg <= found.hit <= 1


def test_a_basket_is_measured_by_what_share_of_it_is_found_and_how_high():
    found = accuracy_of_lists(hits(np.array([[1, 2, 3, 4]]), [frozenset([2, 4, 9])]), np.array([3]))
    best = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert found.recall == pytest.approx(2 / 3)
    assert found.ndcg == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / best)
    assert (found.hit, found.mrr) == (1, 0.5)


def test_an_item_listed_twice_is_found_once():
    assert hits(np.array([[5, 5, 6]]), [frozenset([5])]).tolist() == [[True, False, False]]


def test_no_moments_are_no_error():
    assert accuracy_of_ranks(np.zeros(0, np.int64), 10).ndcg == 0
