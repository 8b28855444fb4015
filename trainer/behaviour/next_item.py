"""The next-item task: after each event, which item will the shopper look at, put in the cart, buy next?"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.model import ShopperModel
from trainer.behaviour.softmax import Targets, full_softmax_loss, log_sampling_odds, sampled_softmax_loss
from trainer.data.popularity import Popularity
from trainer.data.shop import Sequences
from trainer.data.windows import NO_TARGET, TARGET_ACTIONS, Batch, Windows, next_actions
from trainer.training_loop.fit import Fitted, OnProgress, Plan, fit
from trainer.training_loop.precision import has_fast_bfloat16, mixed
from trainer.training_loop.processes import mine
from trainer.training_loop.run import Run

_LEAST_STEPS = 600


class Stage(NamedTuple):
    """One of several fits of a model: what it is called, and its share of the learning rate."""

    what: str = "next item"
    rate: float = 1.0


class NextItemLoss:
    """Cross-entropy of every action over the catalogue, actions by their weights."""

    def __init__(self, model: ShopperModel, target_TA: np.ndarray) -> None:
        """Args: target_TA: what training asks for; how often each item occurs there decides how negatives are drawn."""
        self._model = model
        self._negatives = model.config.negatives
        targeted = target_TA[target_TA != NO_TARGET]
        count_N = torch.from_numpy(np.bincount(targeted, minlength=len(model.item_bias)))
        self._log_q_N = log_sampling_odds(count_N).to(model.item_bias.device)

    def __call__(self, batch: Batch) -> Tensor:
        """Loss of a batch: mean over the targets of each action. []"""
        model, device = self._model, batch.item.device
        with mixed(device):
            table_ND = model.items()
            user_BLD = model.user_vectors(batch.item, batch.action, batch.time, table_ND)
        return self.from_vectors(user_BLD, table_ND, batch)

    def from_vectors(self, user_BLD: Tensor, table_ND: Tensor, batch: Batch) -> Tensor:
        """The same where the shoppers' vectors after each event and the items' are at hand. []"""
        model, device = self._model, batch.item.device
        weights = model.encoder.action_heads.weight_A
        total, shares = model.item_bias.new_zeros(()), 0.0
        for action in range(len(TARGET_ACTIONS)):
            targeted = batch.target[..., action] != NO_TARGET
            share = float(weights[action])
            if share > 0 and (count := int(targeted.sum())):
                targets = Targets(batch.target[..., action][targeted], batch.step[targeted], _even(count, device))
                total = total + share * self._of_action(user_BLD[targeted], table_ND, targets, action)
                shares += share
        return total / max(shares, 1e-9)

    def _of_action(self, user_MD: Tensor, table_ND: Tensor, targets: Targets, action: int) -> Tensor:
        device = user_MD.device
        with mixed(device):
            turned_MD = self._model.encoder.action_heads.to_action(user_MD, action)
        bias_SN = self._model.bias_of_action(action)
        if self._negatives and self._model.training:
            return sampled_softmax_loss(turned_MD, table_ND, bias_SN, targets, self._log_q_N, self._negatives)
        return full_softmax_loss(turned_MD, table_ND, bias_SN, targets, fast=has_fast_bfloat16(device))


def fit_next_item(
    model: ShopperModel,
    sequences: Sequences,
    popularity: Popularity,
    split: int,
    seed: int,
    on_progress: OnProgress,
    *,
    run: Run | None = None,
    stage: Stage = Stage(),  # noqa: B008 - a tuple of constants
) -> Fitted:
    """Fit items, encoder and biases: those of them that ask for gradients.

    Args:
        split: targets from this time on (ms) validate; only those before are learnt from.
        run: where checkpoints and curves go.
    """
    next_targets = next_actions(sequences)
    step = popularity.step(sequences.time)
    held_back = next_targets.time >= split
    train = Windows(sequences, np.where(held_back, NO_TARGET, next_targets.item), step)
    valid = Windows(sequences, np.where(held_back, next_targets.item, NO_TARGET), step)
    model.encoder.action_heads.weigh((train.target != NO_TARGET).any(axis=0).tolist())
    loss_of = NextItemLoss(model, train.target)
    rng = np.random.default_rng(seed)
    config, device = model.config, model.item_bias.device

    def losses() -> Iterator[Tensor]:
        for batch in mine(train.batches(config.tokens, rng, device)):
            yield loss_of(batch)

    def validate() -> float:
        with torch.no_grad():
            batches = list(valid.batches(config.tokens, np.random.default_rng(seed), device))
            counts = [int((b.target != NO_TARGET).sum()) for b in batches]
            total = sum(float(loss_of(b)) * n for b, n in zip(batches, counts, strict=True))
            return total / max(1, sum(counts))

    model.eval()
    steps = train.count(config.tokens)
    epochs = max(config.epochs, _LEAST_STEPS // max(1, steps))
    plan = plan_of(config, stage.what, steps)._replace(learning_rate=stage.rate * config.learning_rate, epochs=epochs)
    return fit(model, losses, validate, plan, on_progress, run=run, rng=rng)


def plan_of(config: BehaviourConfig, what: str, steps_per_epoch: int) -> Plan:
    """How long and how fast a configuration fits."""
    return Plan(
        what,
        config.learning_rate,
        config.epochs,
        config.patience,
        steps_per_epoch,
        config.weight_decay,
        config.schedule,
        config.accumulate,
        config.average,
    )


def _even(count: int, device: torch.device) -> Tensor:
    return torch.full((count,), 1.0 / count, device=device)
