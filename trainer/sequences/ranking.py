"""Rank every item for every user, the history excluded, as a fitted model scores them. U users, N items, K places."""

from typing import Final, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from feature_repo.basics.actions import ACTION_CODE
from headrace.arrays import HISTORY, Ints
from trainer.behaviour.model import ShopperModel
from trainer.evaluation.lists.beyond_accuracy import NOTHING
from trainer.evaluation.ranking import Reals, pessimistic_ranks

LISTED: Final = 10
_AT_ONCE: Final = 256


class Ranked(NamedTuple):
    """Where each user's target stands, and what stands before the others."""

    rank: Ints  # [U]  from 1
    listed: Ints  # [U, K]  item rows, best first; NOTHING where fewer remain


class Scores(Protocol):
    """Scores every item for some users. [u, N], float32"""

    def __call__(self, histories: list[Ints]) -> Reals: ...


def rank_all(score: Scores, history: list[Ints], target: Ints) -> Ranked:
    """Rank the whole catalogue for each user; what a user has taken up before is never listed, nor found."""
    order = np.argsort([len(items) for items in history], kind="stable")
    rank, listed = np.zeros(len(history), np.int64), np.full((len(history), LISTED), NOTHING, np.int64)
    for rows in np.array_split(order, max(1, -(-len(order) // _AT_ONCE))):
        some = [history[row] for row in rows]
        score_uN = score(some)
        for place, items in enumerate(some):
            score_uN[place, items] = -np.inf
        rank[rows] = pessimistic_ranks(score_uN, target[rows])
        listed[rows] = _best(score_uN)
    return Ranked(rank, listed)


def model_scores(model: ShopperModel) -> Scores:
    """How a fitted model scores, in float32: coarser scores would tie."""
    device = model.item_bias.device
    with torch.inference_mode():
        table_ND, bias_N = model.items(), model.bias_now()

    @torch.inference_mode()
    def score(histories: list[Ints]) -> Reals:
        item_BL, action_BL = (part.to(device) for part in _right_aligned(histories))
        vectors_BLD = model.user_vectors(item_BL, action_BL, torch.zeros_like(item_BL), table_ND)
        user_BD = model.encoder.action_heads.combined(vectors_BLD[:, -1])
        return (user_BD @ table_ND.T + bias_N).cpu().numpy()

    return score


def popularity_scores(train: list[Ints], items: int) -> Scores:
    """The same scores for everyone: how often each item was taken up."""
    count_N = np.bincount(np.concatenate(train), minlength=items).astype(np.float32)
    return lambda histories: np.tile(count_N, (len(histories), 1))


def _right_aligned(histories: list[Ints]) -> tuple[Tensor, Tensor]:
    width = max(1, min(HISTORY, max(map(len, histories), default=1)))
    item, action = np.zeros((len(histories), width), np.int64), np.zeros((len(histories), width), np.int32)
    for row, items in enumerate(histories):
        newest = items[-width:]
        item[row, width - len(newest) :] = newest
        action[row, width - len(newest) :] = ACTION_CODE["purchase"]
    return torch.from_numpy(item), torch.from_numpy(action)


def _best(score_uN: Reals) -> Ints:
    k = min(LISTED, score_uN.shape[1])
    top = np.argpartition(-score_uN, k - 1, axis=1)[:, :k]
    order = np.argsort(-np.take_along_axis(score_uN, top, axis=1), axis=1, kind="stable")
    top = np.take_along_axis(top, order, axis=1)
    top = np.where(np.isneginf(np.take_along_axis(score_uN, top, axis=1)), NOTHING, top)
    return np.pad(top, ((0, 0), (0, LISTED - k)), constant_values=NOTHING)
