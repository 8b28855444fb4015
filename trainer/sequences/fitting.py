"""Fit the behaviour model to sequences that have an order but no times, texts or prices."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from headrace.arrays import Ints
from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.items import Attributes, ItemTable
from trainer.behaviour.model import ShopperModel
from trainer.behaviour.next_item import NextItemLoss, plan_of
from trainer.data.windows import NO_TARGET, Windows, next_actions
from trainer.evaluation.ranking import accuracy_of_ranks
from trainer.sequences.holdout import Holdout, as_sequences
from trainer.sequences.ranking import LISTED, model_scores, rank_all
from trainer.training_loop.device import make_deterministic
from trainer.training_loop.fit import Fitted, OnProgress, fit

#: Chosen on the validation items of Beauty: docs/explanation/behaviour.md has what was tried and what each gave.
RECIPE: Final = BehaviourConfig(
    width=256,
    heads=4,
    feed=4,
    dropout=0.3,
    id_dropout=0.0,
    learning_rate=1e-3,
    tokens=1_024,
    epochs=8,
    patience=3,
    schedule="cosine",
)
_STD: Final = 0.02
"""Of the first item vectors: small ones turn quickly towards what they are seen with."""
_LEAST_STEPS: Final = 80
"""Steps of an epoch: a small file is gone through several times before it is judged again."""
_VALIDATED: Final = 5_000
"""Users at most whose held-back items are ranked after each epoch."""


class ItemTableSpec(NamedTuple):
    """The items of a file: how many, and what is known of them."""

    items: int
    attributes: Attributes | None


def fit_sequences(
    item_table: ItemTableSpec,
    fold: Holdout,
    config: BehaviourConfig,
    seed: int,
    device: torch.device,
    on_progress: OnProgress,
    *,
    stop: int = 0,
) -> tuple[ShopperModel, Fitted]:
    """Fit a model to what a fold gives to learn from.

    Args:
        fold: its targets decide which epoch's weights are kept.
        stop: keep this epoch's weights instead, whatever the targets say (refit).
    """
    make_deterministic(seed)
    sequences = as_sequences(fold.train)
    next_targets = next_actions(sequences)
    windows = Windows(sequences, next_targets.item, np.zeros(len(sequences.item), np.int64))
    model = _model(item_table, fold.train, config).to(device)
    model.encoder.action_heads.weigh((next_targets.item != NO_TARGET).any(axis=0).tolist())
    loss_of = NextItemLoss(model, next_targets.item)
    rng = np.random.default_rng(seed)

    def losses() -> Iterator[Tensor]:
        for _ in range(passes):
            for batch in windows.batches(config.tokens, rng, device):
                yield loss_of(batch)

    steps = max(1, windows.count(config.tokens))
    passes = -(-_LEAST_STEPS // steps)
    plan = plan_of(config, "next item, refit" if stop else "next item", steps * passes)
    if stop:
        plan = plan._replace(patience=1)
    validate = _until(stop) if stop else _Validation(model, fold, seed)
    return model, fit(model, losses, validate, plan, on_progress, rng=rng)


def _model(item_table: ItemTableSpec, train: list[Ints], config: BehaviourConfig) -> ShopperModel:
    seen = np.bincount(np.concatenate(train), minlength=item_table.items) > 0
    items = ItemTable(
        torch.from_numpy(seen), config.width, config.id_dropout, attributes=item_table.attributes, std=_STD
    )
    return ShopperModel(config, items, torch.zeros(0, 1, item_table.items))


def _until(stop: int) -> Callable[[], float]:
    """Every epoch is better than the one before, up to and including `stop`."""
    passed = count()  # the first call judges the untrained model
    return lambda: -float(min(next(passed), stop))


class _Validation:
    """Minus NDCG@10 on the held-back items of some users."""

    def __init__(self, model: ShopperModel, fold: Holdout, seed: int) -> None:
        self._model = model
        some = np.random.default_rng(seed).permutation(len(fold.target))[:_VALIDATED]
        self._history = [fold.history[row] for row in some]
        self._target = fold.target[some]

    def __call__(self) -> float:
        """The figure that decides, lower is better."""
        ranked = rank_all(model_scores(self._model), self._history, self._target)
        return -accuracy_of_ranks(ranked.rank, LISTED).ndcg
