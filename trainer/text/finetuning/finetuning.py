"""Fine-tune an encoder and a head on labelled texts; the epoch that validates best is the one kept."""

import math
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.text.classifier import Classifier
from trainer.text.encoder import TextModel, embed
from trainer.text.finetuning.adaptation import Adapted, Method
from trainer.text.finetuning.batches import length_batches, steps_per_epoch
from trainer.text.finetuning.descent import Descent
from trainer.text.heads import CosineHead, accuracy, best_logistic_head, centroids, logistic_head
from trainer.text.labelled import Labelled
from trainer.training_loop.averaging import Average
from trainer.training_loop.fit import OnProgress
from trainer.training_loop.precision import mixed

_AVERAGED: Final = 0.98
"""Decay of the averaged weights: about the last fifty steps count."""

#: Added weights start from nothing and need larger steps than pretrained ones.
LEARNING_RATES: Final = {
    Method.FULL: 1e-4,
    Method.LORA: 1e-3,
    Method.ADALORA: 2e-3,
    Method.PREFIX: 1e-2,
    Method.ADAPTERS: 1e-3,
    Method.IA3: 1e-2,
    Method.FROZEN: 0.0,
}


class Recipe(NamedTuple):
    """How labelled texts are learnt; the defaults were chosen on validation rows."""

    learning_rate: float
    epochs: int = 6
    patience: int = 3
    batch: int = 64
    head_learning_rate: float = 1e-3
    smoothing: float = 0.1
    agreement: float = 0.0  # weight of R-Drop, by which two passes with other dropout must agree; costs a second pass


class FitResult(NamedTuple):
    """What fine-tuning gave."""

    classifier: Classifier
    valid_accuracy: float  # nan without validation rows
    epochs: int  # those behind the weights that were kept; 0 for frozen
    strength: float  # of the logistic head over a frozen encoder; 0 for the others
    trainable_share: float  # of the encoder's parameters


def fit_classifier(
    model: TextModel,
    train: Labelled,
    valid: Labelled,
    method: Method,
    recipe: Recipe,
    seed: int,
    on_progress: OnProgress,
) -> FitResult:
    """Fine-tune by one method; validation rows decide how long, or how strongly a frozen encoder's head is held."""
    if method is Method.FROZEN:
        return _fit_head(model, train, valid, seed)
    training_task = TrainingTask(model, train, method, recipe, seed, on_progress)
    best_accuracy, best_epoch, best = -math.inf, 0, training_task.weights()
    for epoch in range(1, recipe.epochs + 1):
        training_task.run_epoch(f"validation accuracy {best_accuracy:.4f}" if best_epoch else "")
        with training_task.average.in_place():
            found = accuracy(training_task.classifier.logits(valid.texts), valid.label)
            if found > best_accuracy:
                best_accuracy, best_epoch, best = found, epoch, training_task.weights()
        if epoch - best_epoch >= recipe.patience:
            break
    training_task.restore(best)
    return FitResult(training_task.finish(), best_accuracy, best_epoch, 0.0, training_task.trainable_share)


def refit_classifier(
    model: TextModel,
    rows: Labelled,
    fit_result: FitResult,
    method: Method,
    recipe: Recipe,
    seed: int,
    on_progress: OnProgress,
) -> Classifier:
    """Fine-tune again from the start on more rows, such as the validation rows too, for as long as was found best."""
    if method is Method.FROZEN:
        head = logistic_head(_embed(model, rows.texts), rows.label, fit_result.strength, seed)
        return Classifier(model, head, rows.classes)
    training_task = TrainingTask(model, rows, method, recipe, seed, on_progress)
    for _ in range(fit_result.epochs):
        training_task.run_epoch("with the validation rows")
    with training_task.average.in_place():
        averaged = training_task.weights()
    training_task.restore(averaged)
    return training_task.finish()


class TrainingTask:
    """An encoder and a head that are being fine-tuned."""

    def __init__(
        self, model: TextModel, train: Labelled, method: Method, recipe: Recipe, seed: int, on_progress: OnProgress
    ) -> None:
        torch.manual_seed(seed)
        self._train, self._recipe, self._on_progress, self._what = train, recipe, on_progress, f"fine-tuning ({method})"
        self._rng = np.random.default_rng(seed)
        self._steps = recipe.epochs * steps_per_epoch(len(train.texts), recipe.batch)
        self._adapted = Adapted(model.encoder, method, self._steps)
        self.trainable_share = self._adapted.trainable_share
        start = centroids(_embed(model, train.texts), train.label, len(train.classes))
        self.classifier = Classifier(model._replace(encoder=self._adapted.encoder), CosineHead(start), train.classes)
        head = list(self.classifier.head.parameters())
        self._parameters = self._adapted.parameters() + head
        groups = [(self._adapted.parameters(), recipe.learning_rate), (head, recipe.head_learning_rate)]
        self._descent = Descent(groups, self._steps)
        self.average = Average(nn.ModuleList([self._adapted.encoder, self.classifier.head]), _AVERAGED)

    def run_epoch(self, note: str) -> None:
        """Show every row once."""
        self._adapted.encoder.train()
        for rows in length_batches(self._train.texts, self._recipe.batch, self._rng):
            self._descent.step(self._loss(self._train.rows(rows)) + self._adapted.penalty())
            self._adapted.after_step(self._descent.done)
            self.average.update(self._descent.done)
            self._on_progress(self._what, self._descent.done, self._steps, note)
        self._adapted.encoder.eval()

    def weights(self) -> list[Tensor]:
        """A copy of everything that training moves."""
        return [p.detach().clone() for p in self._parameters]

    @torch.no_grad()
    def restore(self, weights: list[Tensor]) -> None:
        """Go back to a copy."""
        for parameter, weight in zip(self._parameters, weights, strict=True):
            parameter.copy_(weight)

    def finish(self) -> Classifier:
        """The classifier as it is served, with what was added folded into the encoder where the method allows it."""
        return self.classifier._replace(model=self.classifier.model._replace(encoder=self._adapted.merged()))

    def _loss(self, rows: Labelled) -> Tensor:
        model, head, _ = self.classifier
        label = torch.from_numpy(rows.label).to(self._parameters[0].device)
        ids, mask = model.tokens(rows.texts, label.device)
        passes = 2 if self._recipe.agreement else 1
        with mixed(label.device):
            vectors_NT = model.encoder(ids.repeat(passes, 1), mask.repeat(passes, 1))
        logits = head(vectors_NT.float())
        loss = F.cross_entropy(logits, label.repeat(passes), label_smoothing=self._recipe.smoothing)
        return loss + self._recipe.agreement * disagreement(*logits.chunk(2)) if passes == 2 else loss


def disagreement(one_NC: Tensor, other_NC: Tensor) -> Tensor:
    """Mean of both Kullback-Leibler divergences between two passes' classes. R-Drop, Liang et al. (2021). []"""
    p, q = F.log_softmax(one_NC, dim=1), F.log_softmax(other_NC, dim=1)
    return ((p.exp() - q.exp()) * (p - q)).sum(dim=1).mean() / 2


def _fit_head(model: TextModel, train: Labelled, valid: Labelled, seed: int) -> FitResult:
    train_NT, valid_MT = _embed(model, train.texts), _embed(model, valid.texts)
    head, strength = best_logistic_head(train_NT, train.label, valid_MT, valid.label, seed)
    found = accuracy(head(valid_MT), valid.label)
    return FitResult(Classifier(model, head, train.classes), found, 0, strength, 0.0)


def _embed(model: TextModel, texts: list[str]) -> Tensor:
    return embed(model, texts, next(model.encoder.parameters()).device, lambda _: None)
