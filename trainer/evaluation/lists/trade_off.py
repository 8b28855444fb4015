"""What diversity costs: the same moments, re-ranked by the served scorer with more and more of it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
import torch
from msgspec import Struct

from headrace.arrays import TOP_K, Floats, Ints
from headrace.errors import UsageError
from model_repo.headrace.scorer import ServedScorer
from trainer.data.excluding import exclusions, listable, repeats_of
from trainer.data.score_requests import Case, as_tensors, request_of
from trainer.data.shop import Shop, read_shop
from trainer.evaluation.lists.lists import Known, measure_lists
from trainer.evaluation.moments import next_item_cases
from trainer.evaluation.recall import counts
from trainer.publishing.exported import load_recommender
from trainer.text.encoder import TextModel, embed, load_text_model
from trainer.training_loop.fit import OnProgress

SETTINGS: Final = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_ROWS: Final = 256
TRAINING_SHARE: Final = 0.9
"""Of wanted events, oldest first: what `headrace train` learns from when it is given the same stream."""


class Point(Struct, frozen=True):
    """How lists of 20 do at one setting."""

    diversity_setting: float
    ndcg: float
    recall: float
    diversity: float
    coverage: float
    gini: float
    novelty: float


class TradeOff(Struct, frozen=True):
    """A curve: the first point is the order of the scores, the last likeness alone."""

    moments: int
    since: str
    points: list[Point]


def measure_trade_off(
    stream: Path, model: Path, since: datetime | None, text_encoder: str | None, on_progress: OnProgress
) -> TradeOff:
    """Ask a trained model for the next wanted item at moments of a stream, once for each setting.

    Args:
        model: a folder that `headrace train` wrote.
        since: targets from this time on; None for the stream's last tenth.
        text_encoder: tells items apart by their texts; None for the installed one.

    Raises:
        UsageError: no such stream, model or encoder, or nothing wanted since then.
    """
    scorer, texts = load_recommender(model), load_text_model(text_encoder, torch.device("cpu"))
    shop = read_shop(stream, lambda n: on_progress("read", n, 0, "records"))
    split = _split(shop, since)
    cases = listable(shop, next_item_cases(shop, split), repeats_of(scorer.arrays))
    if not cases:
        raise UsageError(f"--stream {stream}: nobody wants an item from {_date(split)} on; give an earlier --since")
    known = known_items(scorer, shop, _vectors(shop, texts, on_progress), split)
    points: list[Point] = []
    for done, setting in enumerate(SETTINGS, 1):
        points.append(_point(setting, lists(scorer, shop, cases, setting), cases, known))
        on_progress("re-ranking", done, len(SETTINGS), f"diversity {setting:.1f}")
    return TradeOff(len(cases), _date(split), points)


def lists(scorer: ServedScorer, shop: Shop, cases: Sequence[Case], diversity: float) -> Ints:
    """Lists of item hashes at one setting. [U, K]"""
    width, repeats = scorer.arrays["item_vector"].shape[1], repeats_of(scorer.arrays)
    parts = [np.zeros((0, TOP_K), np.int64)]
    for at in range(0, len(cases), _ROWS):
        some = cases[at : at + _ROWS]
        tensors = as_tensors(request_of(shop, some, width)._replace(exclude=exclusions(shop, some, repeats)))
        with torch.inference_mode():
            answer = scorer.score({**tensors, "diversity": torch.tensor([diversity], dtype=torch.float64)})
        parts.append(answer["rec_item"].numpy())
    return np.concatenate(parts)


def known_items(scorer: ServedScorer, shop: Shop, vector_ND: Floats, split: int) -> Known:
    """Items of the stream and of the version together; one that only the version knows has no text."""
    every: Ints = np.union1d(shop.item_hash, scorer.arrays["item_hash"].numpy())
    row = np.searchsorted(every, shop.item_hash)
    count, vector = np.zeros(len(every), np.int64), np.zeros((len(every), vector_ND.shape[1]), np.float32)
    count[row], vector[row] = counts(shop, 0, split), vector_ND
    return Known(every, count, vector)


def _split(shop: Shop, since: datetime | None) -> int:
    if since is not None:
        return int(since.replace(tzinfo=UTC).timestamp() * 1000)
    wanted = shop.sequences.time[shop.sequences.wanted]
    return int(np.quantile(wanted, TRAINING_SHARE)) if len(wanted) else 0


def _vectors(shop: Shop, texts: TextModel, on_progress: OnProgress) -> Floats:
    return embed(
        texts, shop.texts, torch.device("cpu"), lambda n: on_progress("text vectors", n, len(shop.texts), "")
    ).numpy()


def _point(setting: float, list_UK: Ints, cases: Sequence[Case], known: Known) -> Point:
    accuracy, beyond_accuracy = (found := measure_lists(list_UK, cases, known)).accuracy, found.beyond_accuracy
    return Point(
        setting,
        accuracy.ndcg,
        accuracy.recall,
        beyond_accuracy.diversity,
        beyond_accuracy.coverage,
        beyond_accuracy.gini,
        beyond_accuracy.novelty,
    )


def _date(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds")
