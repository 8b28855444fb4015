"""What the forecaster knows of items beside their sales."""

import numpy as np
import pytest
import torch

from feature_repo.basics.identity import NO_ITEM, item_hash
from headrace.arrays import DEMAND_HISTORY
from trainer.demand.describing import describe, made_already
from trainer.demand.item_facts import TEXT_PARTS, ItemFacts
from trainer.demand.series import DemandSeries, Described

HOUR = 3_600_000
CATALOGUE = {
    "tea": Described("tea", "drinks", 4.0),
    "green tea": Described("green tea", "drinks", 5.0),
    "black tea": Described("black tea", "drinks", 0.0),
    "spoon": Described("spoon", "tools", 1.0),
    "fork": Described("fork", "tools", 2.0),
}
SOLD = {"tea": 8.0, "green tea": 6.0, "spoon": 1.0}
SIMILAR, PROMOTION, PRICE, ITEM_KNOWN, CATEGORY_KNOWN = range(TEXT_PARTS, TEXT_PARTS + 5)


def vectors(texts):
    """Two directions: what is tea, and what is not; a little of each text's own."""
    random = np.random.default_rng(0)
    found = np.array([[4.0, 0.0] if "tea" in text else [0.0, 4.0] for text in texts], np.float32)
    found = np.concatenate([found, random.random((len(texts), 6), np.float32)], 1)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def facts():
    hours = DEMAND_HISTORY + 50
    units = np.zeros((len(SOLD), hours), np.float32)
    for row, rate in enumerate(SOLD.values()):
        units[row, DEMAND_HISTORY:] = rate
    paid = np.where(units > 0, 2.0, 0.0).astype(np.float32)
    series = DemandSeries(list(SOLD), units, paid, 0, HOUR, CATALOGUE)
    return ItemFacts(describe(series, hours, vectors)).eval()


def ask(facts, item, category="", price=0.0, level=1.0):
    names = [item_hash(name) if name else NO_ITEM for name in (item, category)]
    return facts(*(torch.tensor([name]) for name in names), torch.tensor([price]), torch.tensor([[level]]))[0]


def test_items_of_like_text_are_expected_to_sell_alike(facts):
    tea, fork = ask(facts, "black tea"), ask(facts, "fork")
    assert tea[:TEXT_PARTS].ne(fork[:TEXT_PARTS]).any()
    assert tea[SIMILAR] > fork[SIMILAR]


def test_an_items_own_sales_are_not_those_of_a_similar_one(facts):
    assert ask(facts, "tea")[SIMILAR] == pytest.approx(np.log([6.05, 1.05]).mean(), abs=1e-5)
    assert ask(facts, "spoon")[SIMILAR] == pytest.approx(np.log([8.05, 6.05]).mean(), abs=1e-5)


def test_the_level_of_similar_items_is_held_against_ones_own(facts):
    assert ask(facts, "spoon", level=8.0)[SIMILAR] < 0 < ask(facts, "spoon", level=0.5)[SIMILAR]


def test_a_price_below_the_usual_one_is_a_promotion(facts):
    assert ask(facts, "tea", price=2.0)[PROMOTION] == 0
    assert ask(facts, "tea", price=1.0)[PROMOTION] == pytest.approx(np.log(0.5))
    assert ask(facts, "tea", price=0.0)[PROMOTION] == 0


def test_an_item_that_did_not_sell_has_the_catalogues_price(facts):
    assert ask(facts, "fork")[PRICE] == pytest.approx(ask(facts, "tea", price=2.0)[PRICE])


def test_an_unknown_item_is_taken_for_the_mean_of_its_category(facts):
    teas = torch.stack([ask(facts, name) for name in ("tea", "green tea", "black tea")])
    mate = ask(facts, "mate", "drinks")
    torch.testing.assert_close(mate[:TEXT_PARTS], teas[:, :TEXT_PARTS].mean(0))
    assert (mate[ITEM_KNOWN], mate[CATEGORY_KNOWN], mate[PROMOTION]) == (0, 1, 0)


def test_of_what_is_no_item_nothing_is_known(facts):
    nothing = ask(facts, "")
    assert (nothing[ITEM_KNOWN], nothing[CATEGORY_KNOWN]) == (0, 0)
    assert nothing.isfinite().all()


def test_texts_that_were_not_encoded_before_are_encoded_now():
    requested: list[list[str]] = []

    def encode(texts):
        requested.append(list(texts))
        return np.array([[len(text), 1.0] for text in texts], np.float32)

    known = {"tea": np.array([9.0, 9.0], np.float32)}
    found = made_already(known, encode)(["mate", "tea", "mate"])
    np.testing.assert_array_equal(found, [[4, 1], [9, 9], [4, 1]])
    assert requested == [["mate"]]


def test_some_items_are_hidden_in_training_so_that_new_ones_are_no_surprise(facts):
    torch.manual_seed(0)
    n = 2_000
    tea, drinks = torch.full((n,), item_hash("tea")), torch.full((n,), item_hash("drinks"))
    felt = facts.train()(tea, drinks, torch.zeros(n), torch.ones(n, 1))
    facts.eval()
    assert 0.80 < felt[:, ITEM_KNOWN].mean() < 0.90
    assert 0.92 < felt[:, CATEGORY_KNOWN].mean() < 0.98
