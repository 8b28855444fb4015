"""The next-item task: after each event, which item does the shopper want next?"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from trainer.behaviour.model import ShopperModel
from trainer.data.popularity import Popularity
from trainer.data.shop import Sequences
from trainer.data.windows import NO_TARGET, Batch, Windows, next_items
from trainer.practice.fit import Fitted, Plan, Tell, fit

_BATCH = 64
_EPOCHS = 14
_LEAST_STEPS = 600
_LEARNING_RATE = 3e-3


def fit_next_item(
    model: ShopperModel, sequences: Sequences, popularity: Popularity, split: int, seed: int, tell: Tell
) -> Fitted:
    """Fit items, encoder and biases.

    Args:
        split: targets from this time on (ms) validate; only those before are learnt from.
    """
    targets = next_items(sequences)
    step = popularity.step(sequences.time)
    held_back = targets.time >= split
    train = Windows(sequences, np.where(held_back, NO_TARGET, targets.item), step)
    valid = Windows(sequences, np.where(held_back, targets.item, NO_TARGET), step)
    rng = np.random.default_rng(seed)
    device = model.item_bias.device

    def losses() -> Iterator[Tensor]:
        for batch in train.batches(_BATCH, rng, device):
            yield loss_of(model, batch)

    def validate() -> float:
        with torch.no_grad():
            batches = list(valid.batches(_BATCH, np.random.default_rng(seed), device))
            counts = [int((b.target != NO_TARGET).sum()) for b in batches]
            total = sum(float(loss_of(model, b)) * n for b, n in zip(batches, counts, strict=True))
            return total / max(1, sum(counts))

    model.eval()
    steps = train.count(_BATCH)
    epochs = max(_EPOCHS, _LEAST_STEPS // max(1, steps))
    return fit(model, losses, validate, Plan("next item", _LEARNING_RATE, epochs, 3, steps), tell)


def loss_of(model: ShopperModel, batch: Batch) -> Tensor:
    """Cross-entropy over the whole catalogue, mean over the targets of a batch. []"""
    table = model.items()
    users = model.user_vectors(batch.item, batch.action, batch.time, table)
    asked = batch.target != NO_TARGET
    scores = users[asked] @ table.T + model.bias()[batch.step[asked]]
    return F.cross_entropy(scores, batch.target[asked])
