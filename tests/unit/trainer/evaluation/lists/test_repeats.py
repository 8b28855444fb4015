"""Which items are bought again is learnt from purchases, item by item, category by category."""

import random
from pathlib import Path

import numpy as np
import pytest
from small_shop import DAY, START, event, item, write

from trainer.data.shop import Shop, read_shop
from trainer.evaluation.lists import repeats
from trainer.evaluation.lists.repeats import LEVELS, bought_again, choose_level, repeat_rates

SOAPS, LAMPS = [f"soap-{n}" for n in range(30)], [f"lamp-{n}" for n in range(30)]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Each shopper buys one soap and another lamp on each of six visits; soaps again and again, no lamp twice."""
    dice = random.Random(5)
    records = [item(name, name) for name in (*SOAPS, *LAMPS, "soap-new", "lamp-new")]
    for record in records:
        record["value"]["categories"] = ["Home", record["key"].split("-")[0]]  # type: ignore[index,union-attr]
    for shopper in range(60):
        own, lamps = dice.sample(SOAPS, 3), dice.sample(LAMPS, 6)
        for visit in range(6):
            now = START + visit * 5 * DAY + dice.randrange(DAY)
            for step, name in enumerate((dice.choice(own), lamps[visit])):
                records.append(event("purchase", f"u{shopper}", now + step, item_id=name))
    return read_shop(write(tmp_path_factory.mktemp("repeats") / "shop.jsonl", records), lambda _: None)


def by_name(shop: Shop, values: np.ndarray) -> dict[str, float]:
    return dict(zip(shop.item_ids, values.tolist(), strict=True))


def test_what_is_bought_again_has_a_higher_rate_and_what_nobody_bought_that_of_its_category(shop: Shop):
    rate = by_name(shop, repeat_rates(shop, 1 << 62))
    assert min(rate[name] for name in SOAPS) > 0.5
    assert max(rate[name] for name in LAMPS) < 0.1
    assert rate["soap-new"] > 0.5
    assert rate["lamp-new"] < 0.1


def test_before_anything_was_bought_all_rates_are_alike(shop: Shop):
    assert len(set(repeat_rates(shop, 0).tolist())) == 1


def test_what_follows_within_a_visit_is_no_repeat(tmp_path: Path):
    records = [item("soap-1", "Soap"), item("lamp-1", "Lamp")]
    for shopper in range(30):
        records += [event("purchase", f"u{shopper}", START + step * 60_000, item_id="soap-1") for step in range(3)]
        records.append(event("purchase", f"u{shopper}", START + DAY, item_id="lamp-1"))
    found = read_shop(write(tmp_path / "shop.jsonl", records), lambda _: None)
    assert by_name(found, repeat_rates(found, 1 << 62))["soap-1"] < 0.1


class RecordingModel:
    """Lists the items that stay in lists, in place of a trained model."""

    def __init__(self, shop: Shop, kept: np.ndarray):
        self.shop, self.kept = shop, kept

    def with_repeats(self, kept: np.ndarray) -> "RecordingModel":
        return RecordingModel(self.shop, kept)


def lists_of_own(made: RecordingModel, shop: Shop, cases: list) -> np.ndarray:
    """The shopper's own items that stay in lists, twenty at most."""
    found = np.zeros((len(cases), 20), np.int64)
    for row, case in enumerate(cases):
        own = np.unique(shop.sequences.item[case.history])
        own = own[made.kept[own]][:20]
        found[row, : len(own)] = shop.item_hash[own]
    return found


def test_the_rate_that_is_enough_is_the_one_that_finds_most(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(repeats, "recommend", lists_of_own)
    split = START + 20 * DAY
    level = choose_level(RecordingModel(shop, np.zeros(0)), shop, split)  # type: ignore[arg-type]
    assert level in LEVELS[:2]  # the strictest of those that find as much
    stays = by_name(shop, bought_again(shop, level))
    assert all(stays[name] for name in SOAPS)
    assert not any(stays[name] for name in LAMPS)


def test_where_nobody_repeats_no_rate_is_enough(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(repeats, "recommend", lambda made, shop, cases: np.zeros((len(cases), 20), np.int64))
    assert choose_level(RecordingModel(shop, np.zeros(0)), shop, START + 20 * DAY) is None  # type: ignore[arg-type]
    assert not bought_again(shop, None).any()


def test_without_purchases_to_judge_by_nothing_is_said_to_be_bought_again(shop: Shop):
    assert choose_level(RecordingModel(shop, np.zeros(0)), shop, 1 << 62) is None  # type: ignore[arg-type]
