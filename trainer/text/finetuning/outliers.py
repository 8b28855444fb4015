"""How far a text lies from every class: scores by which questions out of scope are told from those within."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from headrace.arrays import Ints
from trainer.text.heads import centroids

_NEIGHBOURS: Final = 5


class Seen(NamedTuple):
    """What a score is made from: training vectors and labels, and the vectors and logits of the texts to score."""

    train_NT: Tensor
    label: Ints
    x_MT: Tensor
    logits_MC: Tensor


def softmax_score(seen: Seen) -> Tensor:
    """One less the highest probability. Hendrycks & Gimpel (2017). [M]"""
    return 1 - seen.logits_MC.softmax(dim=1).amax(dim=1)


def energy_score(seen: Seen) -> Tensor:
    """Less the log of the summed exponentials of the logits. Liu et al. (2020). [M]"""
    return -seen.logits_MC.logsumexp(dim=1)


def cosine_score(seen: Seen) -> Tensor:
    """Less the highest logit: the angle to the nearest class. [M]"""
    return -seen.logits_MC.amax(dim=1)


def neighbour_score(seen: Seen) -> Tensor:
    """Less the cosine to the fifth nearest training text. Sun et al. (2022). [M]"""
    nearest = (seen.x_MT @ seen.train_NT.T).topk(min(_NEIGHBOURS, len(seen.train_NT)), dim=1).values
    return -nearest[:, -1]


def mahalanobis_score(seen: Seen) -> Tensor:
    """Squared Mahalanobis distance to the nearest class, one covariance for all. Lee et al. (2018). [M]"""
    centre_CT = centroids(seen.train_NT, seen.label, seen.logits_MC.shape[1])
    off_NT = seen.train_NT - centre_CT[torch.from_numpy(seen.label).to(centre_CT.device)]
    spread_TT = off_NT.T @ off_NT / len(off_NT)
    ridge = 1e-2 * spread_TT.diagonal().mean() * torch.eye(len(spread_TT), device=spread_TT.device)
    factor_TT = torch.linalg.cholesky(torch.linalg.inv(spread_TT + ridge))
    return torch.cdist(seen.x_MT @ factor_TT, centre_CT @ factor_TT).square().amin(dim=1)


SCORES: Final[dict[str, Callable[[Seen], Tensor]]] = {
    "softmax": softmax_score,
    "energy": energy_score,
    "cosine": cosine_score,
    "neighbours": neighbour_score,
    "mahalanobis": mahalanobis_score,
}
"""Higher is further out."""


def auroc(inside: Tensor, outside: Tensor) -> float:
    """Chance that a text out of scope scores higher than one within, ties counted half."""
    truth = np.r_[np.zeros(len(inside)), np.ones(len(outside))]
    return float(roc_auc_score(truth, torch.cat([inside, outside]).cpu().numpy()))


def best_score(inside: Seen, outside: Seen) -> tuple[str, dict[str, float]]:
    """The name of the score that parts validation texts best, and the AUROC of each."""
    found = {name: auroc(score(inside), score(outside)) for name, score in SCORES.items()}
    return max(found, key=lambda name: found[name]), found
