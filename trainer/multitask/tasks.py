"""Tasks that can share a text encoder: classes of a text, and pairs of texts that mean the same thing."""

from collections.abc import Callable
from typing import Final, Literal, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from headrace.arrays import Ints
from trainer.text.encoder import TextModel, embed
from trainer.text.heads import CosineHead, accuracy, centroids
from trainer.text.labelled import Labelled
from trainer.text.matching.matching import recalls

MISSING: Final = -1
"""The label of a row that this task knows nothing about."""
_SMOOTHING: Final = 0.1
_TEMPERATURE: Final = 0.05

Part = Literal["valid", "test"]
Encode = Callable[[list[str]], Tensor]


class Task(Protocol):
    """What joint training needs of a task."""

    @property
    def name(self) -> str: ...

    @property
    def rows(self) -> int:
        """Training rows."""
        ...

    def head(self, model: TextModel) -> nn.Module:
        """A new head for the encoder as it is."""
        ...

    def loss(self, encode: Encode, head: nn.Module, rows: Ints) -> Tensor:
        """Mean loss of training rows. []"""
        ...

    def score(self, model: TextModel, head: nn.Module, part: Part) -> float:
        """How well it does on held-back rows, 0 to 1."""
        ...


class ClassTask(NamedTuple):
    """Tell a text's class. Labels of training rows may be missing."""

    name: str
    train: Labelled
    valid: Labelled
    test: Labelled

    @property
    def rows(self) -> int:
        """Training rows."""
        return len(self.train.texts)

    def head(self, model: TextModel) -> CosineHead:
        """A head that begins with each class's mean vector."""
        known = self.train.rows(np.flatnonzero(self.train.label != MISSING))
        return CosineHead(centroids(_embed(model, known.texts), known.label, len(known.classes)))

    def loss(self, encode: Encode, head: nn.Module, rows: Ints) -> Tensor:
        """Cross-entropy over the rows that have a label. []"""
        some = self.train.rows(rows)
        logits_NC = head(encode(some.texts))
        return masked_cross_entropy(logits_NC, torch.from_numpy(some.label).to(logits_NC.device))

    @torch.inference_mode()
    def score(self, model: TextModel, head: nn.Module, part: Part) -> float:
        """Accuracy."""
        held_back = self.valid if part == "valid" else self.test
        return accuracy(head(_embed(model, held_back.texts)), held_back.label)


class PairTask(NamedTuple):
    """Find a text's partner among the partners of all others of its part."""

    name: str
    train: list[tuple[str, str]]
    valid: list[tuple[str, str]]
    test: list[tuple[str, str]]

    @property
    def rows(self) -> int:
        """Training pairs."""
        return len(self.train)

    def head(self, model: TextModel) -> nn.Module:
        """Nothing: the vectors themselves are compared."""
        return nn.Identity()

    def loss(self, encode: Encode, head: nn.Module, rows: Ints) -> Tensor:
        """In-batch contrastive loss, both ways. []"""
        some = [self.train[i] for i in rows]
        first_BT, second_BT = encode([a for a, _ in some] + [b for _, b in some]).chunk(2)
        logits_BB = first_BT @ second_BT.T / _TEMPERATURE
        target = torch.arange(len(some), device=logits_BB.device)
        return (F.cross_entropy(logits_BB, target) + F.cross_entropy(logits_BB.T, target)) / 2

    def score(self, model: TextModel, head: nn.Module, part: Part) -> float:
        """Recall@1, the mean of both directions."""
        pairs = self.valid if part == "valid" else self.test
        first_NT, second_NT = (_embed(model, list(texts)) for texts in zip(*pairs, strict=True))
        found = recalls(first_NT, second_NT, np.arange(len(pairs))[:, None].repeat(2, axis=1))
        return (found.first_to_second.at_1 + found.second_to_first.at_1) / 2


def masked_cross_entropy(logits_NC: Tensor, label_N: Tensor) -> Tensor:
    """Smoothed cross-entropy, the mean over rows that have a label; 0 where none has. []"""
    total = F.cross_entropy(logits_NC, label_N, ignore_index=MISSING, reduction="sum", label_smoothing=_SMOOTHING)
    return total / (label_N != MISSING).sum().clamp(min=1)


def _embed(model: TextModel, texts: list[str]) -> Tensor:
    return embed(model, texts, next(model.encoder.parameters()).device, lambda _: None)
