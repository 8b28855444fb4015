"""Find an item of one shop among another's: contrastive fine-tuning on known pairs, each with its hardest negatives."""

import time
from typing import Final, NamedTuple

import numpy as np
import torch
from msgspec import Struct
from torch import Tensor

from headrace.arrays import Ints
from trainer.text.encoder import TextModel, embed
from trainer.text.finetuning.adaptation import Adapted, Method
from trainer.text.finetuning.batches import steps_per_epoch
from trainer.text.finetuning.descent import Descent
from trainer.text.finetuning.finetuning import LEARNING_RATES
from trainer.text.matching.item_tuning import contrastive_loss
from trainer.text.matching.shop import Shops, split_pairs
from trainer.training_loop.fit import OnProgress
from trainer.training_loop.precision import mixed

_TEMPERATURE: Final = 0.05
_BATCH: Final = 32
_PATIENCE: Final = 2
_HELD_BACK: Final = 0.2


MOST_TOKENS: Final = 64
"""Of an item's text: its name and the beginning of its description."""


class Recalls(NamedTuple):
    """Share of queries whose match is the nearest, among the nearest 5 and 10, of all items of the other shop."""

    at_1: float
    at_5: float
    at_10: float


class Matched(NamedTuple):
    """Both directions: an item of the first shop sought in the second, and the other way."""

    first_to_second: Recalls
    second_to_first: Recalls


class MatchingScores(Struct):
    """What `headrace evaluate matching` prints: both encoders on the same queries, against all items."""

    frozen: dict[str, dict[str, float]]
    tuned: dict[str, dict[str, float]]
    method: str
    train_pairs: int
    test_pairs: int
    seed: int
    seconds: float


def evaluate_matching(
    model: TextModel, shops: Shops, share: float, method: Method, epochs: int, seed: int, on_progress: OnProgress
) -> MatchingScores:
    """Fine-tune on a share of the pairs, score the others once."""
    began = time.perf_counter()
    train, test = split_pairs(shops.pair_n2, share, seed)
    tuned = fit_pairs(model, shops, train, method, LEARNING_RATES[method], epochs, seed, on_progress)
    frozen_scores, tuned_scores = (
        {direction: recall._asdict() for direction, recall in match(candidate, shops, test)._asdict().items()}
        for candidate in (model, tuned)
    )
    seconds = round(time.perf_counter() - began, 1)
    return MatchingScores(frozen_scores, tuned_scores, method, len(train), len(test), seed, seconds)


def match(model: TextModel, shops: Shops, pair_n2: Ints) -> Matched:
    """Score pairs against all items."""
    return recalls(*_vectors(model, shops), pair_n2)


def recalls(first_NT: Tensor, second_MT: Tensor, pair_n2: Ints) -> Matched:
    """Recall of pairs by cosine of unit vectors."""
    first, second = torch.from_numpy(pair_n2).to(first_NT.device).T
    reverse = _recalls(first_NT[first] @ second_MT.T, second)
    return Matched(reverse, _recalls(second_MT[second] @ first_NT.T, first))


def fit_pairs(
    model: TextModel,
    shops: Shops,
    pair_n2: Ints,
    method: Method,
    rate: float,
    epochs: int,
    seed: int,
    on_progress: OnProgress,
) -> TextModel:
    """Fine-tune on pairs: part of them is held back to choose how many epochs, then all are learnt for as long."""
    if method is Method.FROZEN:
        return model
    shops, pair_n2 = only(shops, pair_n2)
    before = _vectors(model, shops)
    train, valid = split_pairs(pair_n2, 1 - _HELD_BACK, seed)
    best = _best_epoch(
        PairTrainingTask(model, shops, before, train, method, rate, epochs, seed, on_progress), shops, valid, epochs
    )
    training_task = PairTrainingTask(model, shops, before, pair_n2, method, rate, epochs, seed, on_progress)
    for _ in range(best):
        training_task.run_epoch("with the held-back pairs")
    return model._replace(encoder=training_task.adapted.merged()) if best else model


def only(shops: Shops, pair_n2: Ints) -> tuple[Shops, Ints]:
    """The items that stand in pairs, and the pairs by their new rows: of the others not even the text is seen."""
    (first, row_1), (second, row_2) = (np.unique(column, return_inverse=True) for column in pair_n2.T)
    renumbered = np.stack([row_1, row_2], axis=1)
    return Shops([shops.first[i] for i in first], [shops.second[i] for i in second], renumbered), renumbered


class PairTrainingTask:
    """An encoder that is being fine-tuned to bring pairs together."""

    def __init__(
        self,
        model: TextModel,
        shops: Shops,
        before: tuple[Tensor, Tensor],
        pair_n2: Ints,
        method: Method,
        rate: float,
        epochs: int,
        seed: int,
        on_progress: OnProgress,
    ) -> None:
        """Adapt the encoder; `before` holds the pretrained one's vectors of all items."""
        torch.manual_seed(seed)
        self._rng = np.random.default_rng(seed)
        self._shops, self._pair_n2, self._on_progress = shops, pair_n2, on_progress
        self._steps = epochs * steps_per_epoch(len(pair_n2), _BATCH)
        self.adapted = Adapted(model.encoder, method, self._steps)
        self.model = model._replace(encoder=self.adapted.encoder)
        self._descent = Descent([(self.adapted.parameters(), rate)], self._steps)
        self.before = before

    def run_epoch(self, note: str) -> None:
        """Show every pair once, beside those that the pretrained encoder finds hard to tell from it."""
        self.adapted.encoder.train()
        for rows in hard_batches(*self.before, self._pair_n2, self._rng):
            loss = self._loss(self._pair_n2[rows]) + self.adapted.penalty()
            self._descent.step(loss)
            self.adapted.after_step(self._descent.done)
            self._on_progress("matching", self._descent.done, self._steps, note)
        self.adapted.encoder.eval()

    def _loss(self, pair_B2: Ints) -> Tensor:
        both = (self._shops.first, self._shops.second)
        vectors = [self._encode([texts[i] for i in rows]) for texts, rows in zip(both, pair_B2.T, strict=True)]
        rows_B2 = torch.from_numpy(pair_B2).to(vectors[0].device)
        return contrastive_loss(torch.stack(vectors, dim=1), rows_B2, _TEMPERATURE)

    def _encode(self, texts: list[str]) -> Tensor:
        """Each shop by itself: one writes long texts, the other short ones, and padding costs as much as text."""
        device = next(self.adapted.encoder.parameters()).device
        with mixed(device):
            return self.model.encoder(*self.model.tokens(texts, device))


def hard_batches(first_NT: Tensor, second_MT: Tensor, pair_n2: Ints, rng: np.random.Generator) -> list[Ints]:
    """Batches of pairs that lie near one another, so that each is the others' hard negative: a greedy walk."""
    first, second = torch.from_numpy(pair_n2).to(first_NT.device).T
    near_nn = (first_NT[first] @ second_MT[second].T).cpu().numpy()
    near_nn = near_nn + near_nn.T
    left = np.ones(len(pair_n2), bool)
    batches: list[Ints] = []
    for start in rng.permutation(len(pair_n2)):
        if left[start]:
            nearest = np.argsort(-np.where(left, near_nn[start], -np.inf), kind="stable")[: min(_BATCH, left.sum())]
            left[nearest] = False
            batches.append(nearest)
    return [batches[i] for i in rng.permutation(len(batches))]


def _best_epoch(training_task: PairTrainingTask, shops: Shops, valid_n2: Ints, epochs: int) -> int:
    best, best_epoch = _both_at_1(recalls(*training_task.before, valid_n2)), 0
    for epoch in range(1, epochs + 1):
        training_task.run_epoch(f"held-back recall@1 {best:.4f}")
        found = _both_at_1(match(training_task.model, shops, valid_n2))
        if found > best:
            best, best_epoch = found, epoch
        if epoch - best_epoch >= _PATIENCE:
            break
    return best_epoch


def _both_at_1(found: Matched) -> float:
    return (found.first_to_second.at_1 + found.second_to_first.at_1) / 2


def _vectors(model: TextModel, shops: Shops) -> tuple[Tensor, Tensor]:
    device = next(model.encoder.parameters()).device
    first, second = (embed(model, texts, device, lambda _: None) for texts in (shops.first, shops.second))
    return first, second


def _recalls(near_nM: Tensor, match_n: Tensor) -> Recalls:
    top = near_nM.topk(min(10, near_nM.shape[1]), dim=1).indices == match_n.unsqueeze(1)
    return Recalls(*(float(top[:, :k].any(dim=1).float().mean()) for k in (1, 5, 10)))
