"""The repurchase boost is chosen by held-back moments: something where shoppers repeat, nothing elsewhere."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from small_shop import COLOURS, DAY, KINDS, START, event, item, write

from trainer.data.shop import read_shop
from trainer.evaluation.recall import known_before
from trainer.evaluation.repeat_purchase import choose_repurchase_boost
from trainer.publishing.serving import NO_REPURCHASE_BOOST
from trainer.train import train_shopper_model

SHAPES = ("small", "large", "round", "flat")
"""So many items that a list of twenty does not hold a shopper's own by chance."""


def recording(path: Path, *, loyal: bool) -> Path:
    """Shoppers who buy two items a visit: of a few of their own, or others each time."""
    dice = random.Random(3)
    names = [f"{kind}-{colour}-{shape}" for kind in KINDS for colour in COLOURS for shape in SHAPES]
    records = [item(name, name.replace("-", " ")) for name in names]
    for shopper in range(80):
        own = dice.sample(names, 8)
        left = dice.sample(names, len(names))
        for visit in range(6):
            now = START + visit * 5 * DAY + dice.randrange(DAY)
            for name in dice.sample(own, 2) if loyal else (left.pop(), left.pop()):
                records.append(event("purchase", f"u{shopper}", now, item_id=name) | {})
                records[-1]["value"]["event_id"] += name  # type: ignore[index]
    return write(path, records)


@pytest.mark.parametrize("loyal", [True, False])
def test_own_items_count_where_shoppers_are_loyal(loyal: bool, tiny_encoder: str, tmp_path: Path):
    shop = read_shop(recording(tmp_path / "shop.jsonl", loyal=loyal), lambda _: None)
    trained, _ = train_shopper_model(shop, None, torch.device("cpu"), 0, tiny_encoder, lambda *_: None)
    weight, _ = trained.arrays["again"].tolist()
    assert (weight > 0) == loyal


def test_without_baskets_there_is_no_repurchase_boost(fitted_shop):
    assert choose_repurchase_boost(fitted_shop.trained, fitted_shop.shop, 0) == NO_REPURCHASE_BOOST


def test_a_shop_that_grew_is_measured_with_the_items_the_model_never_saw(fitted_shop):
    hashes = np.append(fitted_shop.shop.item_hash, fitted_shop.shop.item_hash[-1] + 1)
    grown = fitted_shop.shop._replace(item_hash=hashes, item_ids=[*fitted_shop.shop.item_ids, "new"])
    known = known_before(fitted_shop.trained, grown, int(grown.sequences.time.max()))
    assert len(known.hash_N) == len(known.count_N) == len(known.vector_ND) == len(fitted_shop.shop.item_hash) + 1
    assert not known.vector_ND[-1].any()
    assert np.abs(known.vector_ND[:-1]).sum(axis=1).min() > 0
