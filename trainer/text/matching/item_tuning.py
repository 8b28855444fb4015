"""Fine-tune the sentence encoder on a shop's own item pairs: LoRA, in-batch contrastive loss, kept only if it helps."""

from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from headrace.arrays import Ints
from trainer.text.encoder import TextModel, embed
from trainer.text.finetuning.adaptation import Adapted, Method
from trainer.text.finetuning.descent import Descent
from trainer.text.matching.pairs import Pairs
from trainer.training_loop.fit import OnProgress
from trainer.training_loop.precision import mixed

_BATCH: Final = 32
_MOST_STEPS: Final = 40
_LEAST_PAIRS: Final = 200
_TEMPERATURE: Final = 0.1
_LEARNING_RATE: Final = 1e-3
_TOP: Final = 20
#: Tuning reads the beginning of a text, where the title stands: a step costs as much as it has tokens.
_TOKENS: Final = 16


class Tuned(NamedTuple):
    """The encoder to go on with, its vectors of the items, and how both versions retrieve held-back partners."""

    model: TextModel
    vectors: Tensor  # [N, T]
    kept: bool  # whether the fine-tuned weights are the ones kept
    frozen_recall: float
    tuned_recall: float


def fine_tune(model: TextModel, texts: list[str], pairs: Pairs, seed: int, on_progress: OnProgress) -> Tuned:
    """Fine-tune; keep the result only if it finds held-back partners better than the pretrained encoder does."""
    device = next(model.encoder.parameters()).device

    def embed_with(candidate: TextModel) -> Tensor:
        return embed(candidate, texts, device, lambda n: on_progress("text vectors", n, len(texts), ""))

    frozen = embed_with(model)
    before = partner_recall(frozen, pairs.held_back)
    if len(pairs.train) < _LEAST_PAIRS or len(pairs.held_back) == 0:
        return Tuned(model, frozen, False, before, before)
    tuned = _adapt(model, texts, pairs.train, np.random.default_rng(seed), on_progress)
    vectors = embed_with(tuned)
    after = partner_recall(vectors, pairs.held_back)
    return Tuned(tuned, vectors, True, before, after) if after > before else Tuned(model, frozen, False, before, after)


def partner_recall(vectors: Tensor, pairs: Ints) -> float:
    """Share of pairs whose second item is among the 20 nearest to the first; 0 without pairs."""
    if len(pairs) == 0:
        return 0.0
    first, second = torch.from_numpy(pairs).to(vectors.device).T
    near = vectors[first] @ vectors.T
    near[torch.arange(len(first)), first] = -torch.inf
    top = near.topk(min(_TOP, near.shape[1] - 1), dim=1).indices
    return float((top == second.unsqueeze(1)).any(dim=1).float().mean())


def _adapt(
    model: TextModel, texts: list[str], pairs: Ints, rng: np.random.Generator, on_progress: OnProgress
) -> TextModel:
    steps = min(_MOST_STEPS, 3 * len(pairs) // _BATCH)
    # Without the backbone's dropout, whose attention takes a slow path and blurs what few steps can teach.
    adapted = Adapted(model.encoder, Method.LORA, steps)
    encoder = adapted.encoder.eval()
    device = adapted.parameters()[0].device
    descent = Descent([(adapted.parameters(), _LEARNING_RATE)], steps)
    for _ in range(steps):
        rows = pairs[rng.choice(len(pairs), _BATCH)]
        ids, mask = model.tokens([texts[i] for i in rows.flatten()], device)
        with mixed(device):
            vectors = encoder(ids[:, :_TOKENS], mask[:, :_TOKENS])
        loss = contrastive_loss(vectors.view(_BATCH, 2, -1), torch.from_numpy(rows).to(device))
        descent.step(loss)
        on_progress("text encoder (LoRA)", descent.done, steps, f"loss {loss.item():.3f}")
    return model._replace(encoder=adapted.merged())


def contrastive_loss(vectors_n2T: Tensor, rows_n2: Tensor, temperature: float = _TEMPERATURE) -> Tensor:
    """Both ways: each item must find its partner among the batch's, other copies of an item aside. []"""
    first, second = vectors_n2T.unbind(dim=1)
    logits = first @ second.T / temperature
    same = (rows_n2[:, 1:] == rows_n2[:, 1]) | (rows_n2[:, :1] == rows_n2[:, 0])
    other = ~torch.eye(len(logits), dtype=torch.bool, device=logits.device)
    logits = logits.masked_fill(same & other, -1e9)
    target = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
