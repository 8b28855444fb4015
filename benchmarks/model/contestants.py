"""The served model and the same weights in plain PyTorch, in one process.

Weights are random: what a product costs does not depend on its numbers. Letters as in `headrace.arrays`; N items.
"""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import CONTEXT, HISTORY, ScoreTensors
from model_repo.headrace.items import Tensors
from model_repo.headrace.memory import keep_freed
from model_repo.headrace.programs import load_program
from model_repo.headrace.scorer import TOP_K, ServedScorer
from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.items import ItemTable
from trainer.behaviour.model import ShopperModel
from trainer.data.score_requests import as_tensors
from trainer.publishing.export import write_shopper_programs
from trainer.publishing.serving import NO_REPURCHASE_BOOST

_NOW_MS = 1_767_571_200_000
_AGO_MS = 86_400_000


class Models(NamedTuple):
    """One model, twice.

    Attributes:
        served: what Triton's Python backend calls: traced programs, length by length, reasons and all.
        eager: the trained modules called as they stand; lists and click rates, nothing else.
    """

    item_hash: Tensor
    served: Callable[[Tensors], Tensors]
    eager: Callable[[Tensors], Tensors]


def models(items: int, seed: int) -> Models:
    """Make both from the same random weights, in a process that keeps its memory as the served one does."""
    keep_freed()
    torch.manual_seed(seed)
    table = ItemTable(torch.ones(items, dtype=torch.bool), BehaviourConfig().width, 0.0)
    model = ShopperModel(BehaviourConfig(), table, torch.rand(1, 1, items)).eval()
    with torch.no_grad():
        for weights in (model.click.last.weight, model.click.match.weight):
            weights.normal_(std=0.1)
        arrays = _arrays(model, items, seed)
    with TemporaryDirectory() as folder:
        write_shopper_programs(model, Path(folder), clicks=True)
        encode, click = (load_program(Path(folder) / name, torch.device("cpu")) for name in ("history.ts", "click.ts"))
    scorer = ServedScorer(arrays, encode, click)
    return Models(arrays["item_hash"], scorer.score, _Eager(model, arrays))


def requests(item_hash: Tensor, rows: int, events: int, seed: int) -> Tensors:
    """A request of shoppers with so many events each, all of whom want a list."""
    random = np.random.default_rng(seed)
    known = item_hash.numpy()
    history = np.zeros((rows, HISTORY), np.int64)
    action, time = np.zeros((rows, HISTORY), np.int32), np.zeros((rows, HISTORY), np.int64)
    history[:, HISTORY - events :] = known[random.integers(0, len(known), (rows, events))]
    action[:, HISTORY - events :] = 1
    time[:, HISTORY - events :] = _NOW_MS - _AGO_MS + np.sort(random.integers(0, _AGO_MS, (rows, events)))
    nothing = np.full(1, NO_ITEM, np.int64)
    tensors = ScoreTensors(
        history,
        action,
        time,
        now=np.full(rows, _NOW_MS, np.int64),
        context=np.zeros((rows, CONTEXT), np.int64),
        recommend=np.ones(rows, np.int32),
        exclude=history[:, -1:].copy(),
        withdrawn=nothing,
        extra_item=nothing,
        extra_vector=np.zeros((1, BehaviourConfig().width), np.float32),
        boost_item=nothing,
        boost=np.zeros(1, np.float32),
        candidate_item=nothing,
        candidate_row=np.zeros(1, np.int32),
        candidate_position=np.zeros(1, np.int32),
    )
    return as_tensors(tensors)


class _Eager:
    """What a paper's code does: pad, encode, take the newest state, multiply with all items, take the best."""

    def __init__(self, model: ShopperModel, arrays: Tensors) -> None:
        self._model = model
        self._arrays = arrays

    def __call__(self, tensors: Tensors) -> Tensors:
        vectors, model = self._arrays["item_vector"], self._model
        row_BL = torch.searchsorted(self._arrays["item_hash"], tensors["history_item"]).clamp(max=len(vectors) - 1)
        user_BD = model.encoder.after_each(vectors[row_BL], tensors["history_action"], tensors["history_time"])[:, -1]
        user_BD = model.encoder.action_heads.combined(user_BD)
        score_BN = user_BD @ vectors.T + self._arrays["item_bias"]
        score_BN.scatter_(1, row_BL[:, -1:], -torch.inf)
        score_BK, best_BK = score_BN.topk(TOP_K, dim=1)
        logit_M = model.click(
            user_BD.repeat_interleave(TOP_K, dim=0),
            vectors[best_BK.flatten()],
            self._arrays["item_prior"][best_BK.flatten()],
            torch.arange(TOP_K).repeat(len(user_BD)),
            tensors["context"].repeat_interleave(TOP_K, dim=0),
            (tensors["history_action"] > 0).sum(dim=1).repeat_interleave(TOP_K),
        )
        rates = logit_M.sigmoid().view(-1, TOP_K)
        return {"rec_item": self._arrays["item_hash"][best_BK], "rec_score": score_BK, "rec_ctr": rates}


def _arrays(model: ShopperModel, items: int, seed: int) -> dict[str, Tensor]:
    vectors = model.items().clone()
    return {
        "item_hash": torch.from_numpy(np.sort(np.random.default_rng(seed).choice(2**62, items).astype(np.int64)) + 1),
        "item_vector": vectors,
        "item_text": torch.zeros_like(vectors),
        "item_bias": model.bias_now().clone(),
        "item_prior": torch.zeros(items),
        "unknown_vector": torch.zeros(vectors.shape[1]),
        "new_bias": torch.zeros(1),
        "new_prior": torch.zeros(1),
        "popular": torch.full((100,), NO_ITEM),
        "again": torch.tensor(NO_REPURCHASE_BOOST),
        "repeats": torch.zeros(items, dtype=torch.uint8),
    }
