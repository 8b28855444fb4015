"""Two shops that sell the same kinds of things under other ids, and an encoder pre-trained on the first."""

import random
from pathlib import Path
from typing import NamedTuple

import torch
from small_shop import COLOURS, KINDS, item, visits, write
from torch import Tensor

from trainer.behaviour.config import BehaviourConfig
from trainer.data.shop import Shop, read_shop
from trainer.pretrain.pretrain import PretrainReport, pretrain_on
from trainer.pretrain.pretrained import Pretrained
from trainer.training_loop.device import make_deterministic

CONFIG = BehaviourConfig(width=16, tokens=512, epochs=3, patience=3, learning_rate=1e-2)


class Two(NamedTuple):
    """The shop that was learnt from, the other one, and what was learnt."""

    source: Shop
    target: Shop
    pretrained: Pretrained
    report: PretrainReport


def words(shop: Shop) -> Tensor:
    """Each text as the mean of its words' vectors, which are the same in every shop."""
    names = [*KINDS, *COLOURS]
    vector = dict(zip(names, torch.randn(len(names), 24, generator=torch.Generator().manual_seed(5)), strict=True))
    return torch.stack([torch.stack([vector[w] for w in text.split() if w in vector]).mean(0) for text in shop.texts])


def open_shop(folder: Path, prefix: str, shoppers: int, seed: int) -> Shop:
    """A shop whose items' ids begin with the prefix."""
    catalogue = [item(f"{prefix}{kind}-{colour}", f"{colour} {kind}") for kind in KINDS for colour in COLOURS]
    records = visits(random.Random(seed), shoppers)
    for record in records:
        value = record["value"]
        for name in ("item_id", "items"):
            if name in value:  # type: ignore[operator]
                old = value[name]  # type: ignore[index]
                value[name] = [prefix + i for i in old] if name == "items" else prefix + old  # type: ignore[index]
    return read_shop(write(folder / f"{prefix or 'plain'}.jsonl", catalogue + records), lambda _: None)


def pretrain_once(folder: Path) -> Two:
    """Open both shops and pre-train on the first."""
    source, target = open_shop(folder, "", 60, 7), open_shop(folder, "other-", 30, 8)
    make_deterministic(1)
    pretrained, report = pretrain_on(source, words(source), "words", CONFIG, 1, lambda *_: None)
    return Two(source, target, pretrained, report)
