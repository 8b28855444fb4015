"""What lists show beyond accuracy: each figure against a case that can be counted by hand."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from trainer.evaluation.lists.beyond_accuracy import (
    NOTHING,
    activity_groups,
    beyond_accuracy,
    coverage,
    diversity,
    gini,
    novelty,
    popularity_groups,
)
from trainer.evaluation.tables import beyond_markdown, beyond_table

EYE = np.eye(4)


def test_a_model_that_repeats_best_sellers_covers_little_and_shows_unequally():
    same = np.bincount(np.tile([0, 1], 50), minlength=10)
    fair = np.full(10, 10)
    assert coverage(same) == 0.2
    assert coverage(fair) == 1
    assert gini(fair) == pytest.approx(0)
    assert gini(same) == pytest.approx(0.8)
    assert gini(np.array([0, 0, 0, 9])) == pytest.approx(0.75)


@given(st.lists(st.integers(0, 50), min_size=2, max_size=12))
def test_gini_is_half_the_mean_difference_over_the_mean(shown):
    values = np.array(shown)
    differences = np.abs(values[:, None] - values[None]).mean()
    expected = differences / (2 * values.mean()) if values.sum() else 0
    assert gini(values) == pytest.approx(expected)


def test_novelty_is_in_bits_and_rare_items_have_more():
    counts = np.array([7, 3, 3, 0])  # one more each: 8, 4, 4 and 1 of 17
    assert novelty(np.array([[0]]), counts) == pytest.approx(np.log2(17 / 8))
    assert novelty(np.array([[3, NOTHING]]), counts) == pytest.approx(np.log2(17))


@given(st.integers(0, 10_000))
def test_diversity_is_the_mean_over_pairs(seed):
    rng = np.random.default_rng(seed)
    vectors, lists = rng.normal(size=(9, 3)), np.stack([rng.permutation(9)[:4] for _ in range(3)])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [1 - unit[a] @ unit[b] for row in lists for a, b in itertools.combinations(row, 2)]
    assert diversity(lists, vectors) == pytest.approx(np.mean(pairs))


def test_empty_places_and_items_without_a_vector_make_no_likeness():
    assert diversity(np.array([[0, 1, NOTHING]]), EYE) == pytest.approx(1)
    assert diversity(np.array([[0, 0, NOTHING]]), EYE) == pytest.approx(0)
    assert diversity(np.array([[0, 1]]), np.zeros((4, 2))) == pytest.approx(1)
    assert diversity(np.array([[0, NOTHING]]), EYE) == 0


def test_the_head_is_the_few_items_with_half_of_the_events():
    assert popularity_groups(np.array([0, 10, 25, 50, 15])).tolist() == [3, 2, 1, 0, 1]


def test_a_newcomer_has_one_event_at_most():
    assert activity_groups(np.array([0, 1, 2, 5, 6, 20, 21, 900])).tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_accuracy_divides_by_the_wanted_item_and_by_the_shopper():
    lists = np.array([[0, 1], [0, 1], [1, 0]])
    found = beyond_accuracy(
        lists, np.array([1, 3, 2]), np.array([0, 3, 0]), np.array([9, 1, 0, 0]), np.array([0, 30, 3]), EYE
    )
    popular = {part.name: part for part in found.by_popularity}
    active = {part.name: part for part in found.by_activity}
    assert (popular["head"].pairs, popular["head"].hit) == (2, 1)
    assert (popular["unseen"].pairs, popular["unseen"].hit) == (1, 0)
    assert [active[name].pairs for name in ("new", "few", "medium", "many")] == [1, 1, 0, 1]
    assert active["few"].ndcg == pytest.approx(1 / np.log2(3))


def test_the_table_names_every_model_and_every_part():
    lists, one = np.array([[0, 1]]), np.array([1])
    found = beyond_accuracy(lists, one, np.array([0]), np.array([9, 1, 0, 0]), one, EYE)
    console = Console(record=True, width=120)
    console.print(beyond_table({"model": found, "popularity": found}))
    for text in (console.export_text(), beyond_markdown({"model": found, "popularity": found})):
        for word in ("model", "popularity", "coverage", "Gini", "novelty", "diversity", "tail", "new", "50.0%"):
            assert word in text
