"""A head for a new task: from the names of its classes alone, or from a few examples of each.

The few-shot way is that of SetFit (Tunstall et al., 2022): the encoder is first fine-tuned contrastively on pairs of
examples, then a logistic head is fitted to its vectors. The class's name is one more example of it.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from headrace.arrays import Ints
from trainer.text.classifier import Classifier
from trainer.text.encoder import TextModel, embed
from trainer.text.finetuning.adaptation import Adapted, Method
from trainer.text.finetuning.descent import Descent
from trainer.text.heads import CosineHead, logistic_head
from trainer.text.labelled import Labelled
from trainer.training_loop.fit import OnProgress
from trainer.training_loop.precision import mixed

_CLASSES: Final = 32
"""In a batch, two examples each."""
_STEPS: Final = 120
_TEMPERATURE: Final = 0.1
_STRENGTH: Final = 10.0
#: Slower than for many rows: a few examples are soon learnt by heart.
LEARNING_RATES: Final = {
    Method.FULL: 3e-5,
    Method.LORA: 5e-4,
    Method.ADALORA: 1e-3,
    Method.PREFIX: 5e-3,
    Method.ADAPTERS: 5e-4,
    Method.IA3: 5e-3,
}


def zero_shot(model: TextModel, classes: list[str]) -> Classifier:
    """A text belongs to the class whose name it is closest to."""
    return Classifier(model, CosineHead(_embed(model, [readable(name) for name in classes])), classes)


def few_shot(model: TextModel, rows: Labelled, method: Method, seed: int, on_progress: OnProgress) -> Classifier:
    """Learn from a few examples of each class; frozen leaves the encoder as it is and fits the head alone."""
    names = Labelled([readable(name) for name in rows.classes], np.arange(len(rows.classes)), rows.classes)
    examples = rows + names
    if method is not Method.FROZEN:
        model = _draw_together(model, examples, method, seed, on_progress)
    head = logistic_head(_embed(model, examples.texts), examples.label, _STRENGTH, seed)
    return Classifier(model, head, rows.classes)


def readable(name: str) -> str:
    """A class's name as words."""
    return name.replace("_", " ").replace("-", " ").strip()


def supervised_contrastive_loss(x_NT: Tensor, label_N: Tensor) -> Tensor:
    """Each unit vector must find those of its class among the batch's. Khosla et al. (2020). []"""
    itself = torch.eye(len(x_NT), dtype=torch.bool, device=x_NT.device)
    logits = (x_NT @ x_NT.T / _TEMPERATURE).masked_fill(itself, -1e9)
    same = (label_N.unsqueeze(1) == label_N) & ~itself
    log_p = F.log_softmax(logits, dim=1).masked_fill(~same, 0.0)
    return -(log_p.sum(dim=1) / same.sum(dim=1).clamp(min=1)).mean()


def pair_batches(label: Ints, steps: int, seed: int) -> Iterator[Ints]:
    """Rows of batches that hold two different examples of each of some classes; every class has two at least."""
    rng = np.random.default_rng(seed)
    members = [np.flatnonzero(label == number) for number in np.unique(label)]
    for _ in range(steps):
        chosen = rng.choice(len(members), min(_CLASSES, len(members)), replace=False)
        yield np.concatenate([rng.choice(members[number], 2, replace=False) for number in chosen])


def _draw_together(
    model: TextModel, examples: Labelled, method: Method, seed: int, on_progress: OnProgress
) -> TextModel:
    torch.manual_seed(seed)
    adapted = Adapted(model.encoder, method, _STEPS)
    adapted.encoder.train()
    descent = Descent([(adapted.parameters(), LEARNING_RATES[method])], _STEPS)
    device = adapted.parameters()[0].device
    for rows in pair_batches(examples.label, _STEPS, seed):
        with mixed(device):
            vectors = adapted.encoder(*model.tokens([examples.texts[i] for i in rows], device))
        label = torch.from_numpy(examples.label[rows]).to(device)
        loss = supervised_contrastive_loss(vectors.float(), label) + adapted.penalty()
        descent.step(loss)
        adapted.after_step(descent.done)
        on_progress("drawing examples of a class together", descent.done, _STEPS, f"loss {loss.item():.3f}")
    return model._replace(encoder=adapted.merged())


def _embed(model: TextModel, texts: list[str]) -> Tensor:
    return embed(model, texts, next(model.encoder.parameters()).device, lambda _: None)
