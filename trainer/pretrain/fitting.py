"""Fit the objectives that need no labels to a shop's sequences."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor

from trainer.behaviour.model import ShopperModel
from trainer.behaviour.next_item import NextItemLoss, plan_of
from trainer.data.popularity import Popularity
from trainer.data.shop import Sequences
from trainer.data.windows import NO_TARGET, Windows, next_actions
from trainer.pretrain.objectives import Losses, Pretraining, hide
from trainer.training_loop.fit import Fitted, OnProgress, fit
from trainer.training_loop.processes import mine

_LEAST_STEPS: Final = 600


class Objectives:
    """The objectives on a shop's sequences: what lies before the split is learnt from, what follows validates."""

    def __init__(self, model: ShopperModel, sequences: Sequences, popularity: Popularity, split: int) -> None:
        next_targets, step = next_actions(sequences), popularity.step(sequences.time)
        held_back = next_targets.time >= split
        self.train = Windows(_before(sequences, split), np.where(held_back, NO_TARGET, next_targets.item), step)
        self.valid = Windows(sequences, np.where(held_back, next_targets.item, NO_TARGET), step)
        model.encoder.action_heads.weigh((self.train.target != NO_TARGET).any(axis=0).tolist())
        self.module = Pretraining(model, NextItemLoss(model, self.train.target)).to(model.item_bias.device)
        self._split, self._config, self._device = split, model.config, model.item_bias.device

    def losses(self, rng: np.random.Generator) -> Iterator[Tensor]:
        """An epoch's losses, a batch each."""
        for batch in mine(self.train.batches(self._config.tokens, rng, self._device)):
            yield self.module(batch, hide(batch.action)).total()

    @torch.no_grad()
    def validate(self, seed: int) -> Losses:
        """Each objective's mean over the held-back batches; the same events are hidden every time."""
        generator, rng = torch.Generator().manual_seed(seed), np.random.default_rng(seed)
        batches = self.valid.batches(self._config.tokens, rng, self._device)
        found = [self.module(batch, hide(batch.action, generator), self._split) for batch in batches]
        return Losses(*(torch.stack(parts).mean() for parts in zip(*found, strict=True)))

    def fit(self, seed: int, on_progress: OnProgress) -> Fitted:
        """Fit; the epoch whose total validates best is kept."""
        config, rng = self._config, np.random.default_rng(seed)
        steps = max(1, self.train.count(config.tokens))
        epochs = max(config.epochs, _LEAST_STEPS // steps)
        plan = plan_of(config, "pre-training", steps)._replace(epochs=epochs)

        def validate() -> float:
            return float(self.validate(seed).total())

        return fit(self.module, lambda: self.losses(rng), validate, plan, on_progress, rng=rng)


def _before(sequences: Sequences, split: int) -> Sequences:
    """The same sequences with nothing to read from the split on: an event without action and channel is padding."""
    return sequences._replace(action=np.where(sequences.time < split, sequences.code, 0).astype(np.int32), channel=None)
