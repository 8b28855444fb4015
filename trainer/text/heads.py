"""Heads that turn a text's vector into classes: by the angle to one vector a class, or by a linear map."""

import math
from typing import Final

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional as F

from headrace.arrays import Ints

_SCALE: Final = 20.0
_STRENGTHS: Final = (1.0, 10.0, 100.0)
_MOST_ITERATIONS: Final = 1_000


class CosineHead(nn.Module):
    """Logits are scaled cosines between a text's vector and one vector a class; heads may share an encoder."""

    def __init__(self, class_CT: Tensor) -> None:
        super().__init__()
        self.class_CT = nn.Parameter(F.normalize(class_CT, dim=-1))
        self.log_scale = nn.Parameter(torch.tensor(math.log(_SCALE), device=class_CT.device))

    def forward(self, x_NT: Tensor) -> Tensor:
        """Logits of unit vectors. [N, C]"""
        return self.log_scale.exp() * x_NT @ F.normalize(self.class_CT, dim=-1).T


class LinearHead(nn.Module):
    """Logits are a linear map of a text's vector."""

    def __init__(self, weight_CT: Tensor, bias_C: Tensor) -> None:
        super().__init__()
        self.weight_CT = nn.Parameter(weight_CT)
        self.bias_C = nn.Parameter(bias_C)

    def forward(self, x_NT: Tensor) -> Tensor:
        """Logits. [N, C]"""
        return F.linear(x_NT, self.weight_CT, self.bias_C)


def centroids(x_NT: Tensor, label: Ints, classes: int) -> Tensor:
    """The mean vector of each class. [C, T]"""
    sums = x_NT.new_zeros(classes, x_NT.shape[1])
    sums.index_add_(0, torch.from_numpy(label).to(x_NT.device), x_NT)
    counts = np.bincount(label, minlength=classes).clip(min=1)
    return sums / torch.from_numpy(counts).to(x_NT).unsqueeze(1)


def logistic_head(x_NT: Tensor, label: Ints, strength: float, seed: int) -> LinearHead:
    """Logistic regression on vectors; every class must occur.

    Args:
        strength: inverse of the penalty on the weights, C of scikit-learn.
    """
    model = LogisticRegression(C=strength, max_iter=_MOST_ITERATIONS, random_state=seed).fit(x_NT.cpu().numpy(), label)
    weight, bias = (
        torch.from_numpy(part.astype(np.float32)).to(x_NT.device) for part in (model.coef_, model.intercept_)
    )
    if len(weight) == 1:  # two classes share one row: the second's, against none for the first
        weight, bias = (torch.cat([torch.zeros_like(part), part]) for part in (weight, bias))
    return LinearHead(weight, bias)


def best_logistic_head(
    x_NT: Tensor, label: Ints, valid_MT: Tensor, valid_label: Ints, seed: int
) -> tuple[LinearHead, float]:
    """The logistic head whose penalty validates best, and that strength."""
    heads = [(logistic_head(x_NT, label, strength, seed), strength) for strength in _STRENGTHS]
    return max(heads, key=lambda found: accuracy(found[0](valid_MT), valid_label))


def accuracy(logits_NC: Tensor, label: Ints) -> float:
    """Share of rows whose highest logit is their label's; ties go to the first class."""
    return float((logits_NC.argmax(dim=1).cpu().numpy() == label).mean())
