"""Leave-one-out evaluation of next items: a `strict` fit that never sees validation items, a `refit` that does."""

import time
from pathlib import Path
from typing import Final

import numpy as np
import torch
from msgspec import Struct, field

from headrace.arrays import Ints
from headrace.errors import ModelError
from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.items import Attributes
from trainer.behaviour.model import ShopperModel
from trainer.evaluation.lists.beyond_accuracy import BeyondAccuracy, beyond_accuracy
from trainer.evaluation.ranking import Reals, accuracy_of_ranks
from trainer.sequences.fitting import RECIPE, ItemTableSpec, fit_sequences
from trainer.sequences.holdout import Holdout, hold_out
from trainer.sequences.ranking import LISTED, Ranked, Scores, model_scores, popularity_scores, rank_all
from trainer.sequences.reading import SequenceFile, read_attributes, read_sequences
from trainer.training_loop.device import use_cores
from trainer.training_loop.fit import OnProgress

_DEPTHS: Final = (5, 10, 20)
_LEAST_ITEMS: Final = 2
_MOST_CELLS: Final = 50_000_000


class NextItemReport(Struct, kw_only=True):
    """What was measured on the test items, and how it was come by. Accuracies by name: "hr@10", "ndcg@10", "mrr"."""

    strict: dict[str, float]
    refit: dict[str, float]
    popularity: dict[str, float]
    validation: dict[str, float]
    beyond_accuracy: dict[str, BeyondAccuracy] = field(name="beyond")
    users: int
    tested: int
    items: int
    epochs: int
    seed: int
    device: str
    cores: int
    seconds: float
    config: BehaviourConfig


def evaluate_next_item(
    sequences: Path,
    attributes: Path | None,
    *,
    seed: int,
    device: torch.device,
    on_progress: OnProgress,
    config: BehaviourConfig = RECIPE,
) -> NextItemReport:
    """Fit twice and rank every item for every user, once.

    `strict` learns from all but the last two items of a user and is validated on the last but one. `refit` learns from
    all but the last with everything that validation chose held fixed. Both are asked for the last item.

    Raises:
        UsageError: a file that cannot be read.
        ModelError: too little to learn from or to test on.
    """
    began = time.monotonic()
    cores = use_cores()
    source = read_sequences(sequences)
    known = None if attributes is None else read_attributes(attributes, source.item_ids)
    item_table = ItemTableSpec(len(source.item_ids), known)
    validating, testing = hold_out(source.taken, 2), hold_out(source.taken, 1)
    _refuse_too_little(sequences, source, validating)
    strict, fitted = fit_sequences(item_table, validating, config, seed, device, on_progress)
    refit, _ = fit_sequences(item_table, testing, config, seed, device, on_progress, stop=max(1, fitted.best_epoch))
    contestants: dict[str, Scores] = {
        "strict": model_scores(strict),
        "refit": model_scores(refit),
        "popularity": popularity_scores(validating.train, item_table.items),
    }
    ranked = {name: rank_all(score, testing.history, testing.target) for name, score in contestants.items()}
    validated = rank_all(contestants["strict"], validating.history, validating.target)
    described = _describe(known, strict)
    return NextItemReport(
        **{name: _accuracies(found.rank) for name, found in ranked.items()},
        validation=_accuracies(validated.rank),
        beyond_accuracy={
            name: _beyond_accuracy(found, testing, item_table.items, *described) for name, found in ranked.items()
        },
        users=len(source.user_ids),
        tested=len(testing.target),
        items=item_table.items,
        epochs=fitted.best_epoch,
        seed=seed,
        device=str(device),
        cores=cores,
        seconds=round(time.monotonic() - began, 1),
        config=config,
    )


def _accuracies(rank_U: Ints) -> dict[str, float]:
    found = {k: accuracy_of_ranks(rank_U, k) for k in _DEPTHS}
    depths = {f"{name}@{k}": value for k, a in found.items() for name, value in (("hr", a.hit), ("ndcg", a.ndcg))}
    return {**depths, "mrr": accuracy_of_ranks(rank_U, int(rank_U.max())).mrr}


def _beyond_accuracy(found: Ranked, fold: Holdout, items: int, vectors_ND: Reals, alike_by: str) -> BeyondAccuracy:
    target_rank = np.minimum(found.rank, LISTED + 1)
    count_N = np.bincount(np.concatenate(fold.train), minlength=items)
    known = np.array([len(items) for items in fold.history], np.int64)
    return beyond_accuracy(found.listed, target_rank, fold.target, count_N, known, vectors_ND, alike_by)


def _describe(known: Attributes | None, model: ShopperModel) -> tuple[Reals, str]:
    """What diversity is measured by: attributes where there are any to hold, else what the model makes of the items."""
    if known is None or len(known.start) * known.kinds > _MOST_CELLS:
        with torch.inference_mode():
            return model.items().float().cpu().numpy(), "item vectors"
    ends = np.append(known.start[1:].numpy(), len(known.flat))
    vectors = np.zeros((len(known.start), known.kinds), np.float32)
    vectors[np.repeat(np.arange(len(known.start)), ends - known.start.numpy()), known.flat.numpy()] = 1.0
    return vectors, "attributes"


def _refuse_too_little(path: Path, source: SequenceFile, fold: Holdout) -> None:
    if len(source.item_ids) < _LEAST_ITEMS:
        raise ModelError(f"{path} has only {len(source.item_ids)} item; there is nothing to rank")
    if not fold.history or not any(len(items) > 1 for items in fold.train):
        raise ModelError(f"{path} has no user with 4 items or more, so nothing follows anything to learn from")
