"""Measuring a trained model: the same moments for all, and lists held against what was wanted."""

import numpy as np
import pytest
from small_shop import FittedShop

from feature_repo.basics.identity import NO_ITEM
from trainer.data.score_requests import Case
from trainer.evaluation.lists.lists import Known, measure_lists, rows_of
from trainer.evaluation.moments import basket_cases, next_item_cases
from trainer.evaluation.recall import counts, measure
from trainer.tracking.card import Metrics, TextMetrics, render

HASHES = np.array([10, 20, 30, 40])
KNOWN = Known(HASHES, np.array([9, 1, 0, 0]), np.eye(4, dtype=np.float32))


def case(relevant: set[int], events: int) -> Case:
    return Case(slice(0, events), 0, NO_ITEM, frozenset(relevant))


def test_hashes_find_their_rows():
    assert rows_of(HASHES, np.array([[40, 10], [NO_ITEM, 25]])).tolist() == [[3, 0], [-1, -1]]


def test_a_basket_counts_each_of_its_items_by_popularity():
    found = measure_lists(np.array([[20, 10], [40, NO_ITEM]]), [case({10, 30}, 1), case({40}, 9)], KNOWN)
    assert found.accuracy.recall == pytest.approx((0.5 + 1) / 2)
    assert [(s.name, s.pairs, s.hit) for s in found.beyond_accuracy.by_popularity] == [
        ("head", 1, 1.0),
        ("torso", 0, 0.0),
        ("tail", 0, 0.0),
        ("unseen", 2, 0.5),
    ]
    assert [s.pairs for s in found.beyond_accuracy.by_activity] == [2, 0, 1, 0]
    assert found.beyond_accuracy.coverage == 0.75


def test_the_trained_model_beats_popularity_and_shows_more_of_the_shop(fitted_shop: FittedShop):
    split = int(np.quantile(fitted_shop.shop.sequences.time, 0.9))
    found = measure(fitted_shop.trained, fitted_shop.shop, next_item_cases(fitted_shop.shop, split), split)
    assert found.cases > 50
    assert found.accuracy.recall == found.model == found.accuracy.hit
    assert found.accuracy.ndcg > found.popular / 2
    assert found.beyond_accuracy["model"].coverage > 0.9
    assert (
        found.beyond_accuracy["model"].diversity < found.beyond_accuracy["popularity"].diversity
    )  # each shopper wants one kind


def test_no_moments_are_measured_as_nothing(fitted_shop: FittedShop):
    found = measure(fitted_shop.trained, fitted_shop.shop, [], 1 << 62)
    assert (found.cases, found.model, found.beyond_accuracy["model"].coverage) == (0, 0, 0)


def test_demand_is_counted_within_its_period(fitted_shop: FittedShop):
    time, wanted = fitted_shop.shop.sequences.time, fitted_shop.shop.sequences.wanted
    middle = int(np.median(time))
    assert counts(fitted_shop.shop, 0, middle).sum() == (wanted & (time < middle)).sum()
    assert counts(fitted_shop.shop, 0, 1 << 62).sum() == wanted.sum()


def test_a_basket_is_asked_for_by_what_was_known_before_it(fitted_shop: FittedShop):
    assert basket_cases(fitted_shop.shop, 0) == []  # the shop shows no purchase


def test_the_card_shows_what_lies_beyond_accuracy(fitted_shop: FittedShop):
    found = measure(fitted_shop.trained, fitted_shop.shop, next_item_cases(fitted_shop.shop, 0), 0)
    text = TextMetrics("pretrained", 0.0, 0.0)
    card = render(Metrics(1, 0, 1, 1, 0.0, 1, found, text, None))
    for word in ("catalogue coverage", "Gini of exposure", "shopper new", "item tail", f"{found.accuracy.ndcg:.4f}"):
        assert word in card
