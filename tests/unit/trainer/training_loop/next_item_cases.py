"""The real next-item training on a small shop, short enough for tests."""

import random
from pathlib import Path

import torch
from small_shop import COLOURS, KINDS, item, visits, write
from torch import Tensor

from trainer.behaviour import next_item
from trainer.behaviour.config import BehaviourConfig
from trainer.data.popularity import measure_popularity
from trainer.data.shop import Sequences, Shop, read_shop
from trainer.data.split import time_split
from trainer.text.encoder import TextModel
from trainer.text.matching.item_tuning import Tuned
from trainer.train import make_model
from trainer.training_loop.device import make_deterministic
from trainer.training_loop.run import Run

CONFIG = BehaviourConfig(width=16, tokens=96, epochs=2, patience=2)


def small_shop(folder: Path) -> Shop:
    catalogue = [item(f"{kind}-{colour}", f"{colour} {kind}") for kind in KINDS for colour in COLOURS]
    path = write(folder / "shop.jsonl", catalogue + visits(random.Random(7), 30))
    return read_shop(path, lambda _: None)


def random_texts(shop: Shop) -> Tuned:
    """Vectors that say nothing, in place of a text encoder's."""
    vectors = torch.randn(len(shop.item_ids), 12, generator=torch.Generator().manual_seed(0))
    return Tuned(TextModel(None, None), vectors, False, 0.0, 0.0)  # type: ignore[arg-type]


def fit_shop(
    shop: Shop, config: BehaviourConfig = CONFIG, run: Run | None = None, sequences: Sequences | None = None
) -> Tensor:
    """The weights after training on the shop, or on other sequences of its items."""
    make_deterministic(4)
    next_item._LEAST_STEPS = 1
    sequences = sequences or shop.sequences
    split, wanted = time_split(sequences), sequences.wanted
    popularity = measure_popularity(sequences.item[wanted], sequences.time[wanted], len(shop.item_ids))
    model = make_model(shop._replace(sequences=sequences), random_texts(shop), popularity, split, config)
    next_item.fit_next_item(model, sequences, popularity, split, 4, lambda *_: None, run=run)
    return torch.cat([p.detach().flatten() for p in model.parameters()])
