"""Every baseline gets the same chance: its defaults and settings drawn at random, judged on validation moments."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np

from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import TOP_K, Floats, Ints
from trainer.data.score_requests import Case
from trainer.data.shop import Sequences
from trainer.evaluation.baselines.co_visitation import CoVisitation
from trainer.evaluation.baselines.item_knn import ItemKnn
from trainer.evaluation.baselines.personal import Personal
from trainer.evaluation.baselines.popularity import Popularity
from trainer.evaluation.baselines.visits import wanted_before
from trainer.evaluation.ranking import accuracy_of_lists, hits

_ROWS: Final = 256
_DAYS: Final = (3.0, 7.0, 14.0, 30.0, 60.0, 120.0, float("inf"))
_PLACES: Final = (0.8, 0.9, 0.95, 0.98, 1.0)
_REPEAT: Final = (0.0, 0.3, 1.0, 3.0, 10.0)
_NEIGHBOURS: Final = (50, 200, 1_000, 4_000)


class Fitted(Protocol):
    """Scores all items at moments; higher is better."""

    def scores(self, sequences: Sequences, cases: Sequence[Case]) -> Floats: ...


class Baseline(Protocol):
    """Settings that can be fitted to the wanted events before a split (ms)."""

    def fit(self, past: Sequences, items: int, split: int) -> Fitted: ...


class Contestant(NamedTuple):
    """A kind of baseline and what its settings are drawn from."""

    make: Callable[..., Baseline]
    space: Mapping[str, Sequence[object]]


CONTESTANTS: Final[Mapping[str, Contestant]] = {
    "popularity": Contestant(Popularity, {}),
    "recent popularity": Contestant(Popularity, {"half_life_days": (1.0, 2.0, *_DAYS[:-1])}),
    "own items": Contestant(
        Personal, {"half_life_days": _DAYS, "place_decay": _PLACES, "popularity_half_life_days": _DAYS}
    ),
    "co-visitation": Contestant(
        CoVisitation,
        {
            "together": (0.0, 0.3, 1.0),
            "following": (0.0, 0.3, 1.0),
            "next_visits": (0.3, 1.0, 3.0),
            "repeat": _REPEAT,
            "discount": (0.0, 0.25, 0.5, 0.75),
            "neighbours": _NEIGHBOURS,
            "fading_days": (7.0, 30.0, 120.0),
            "half_life_days": _DAYS,
            "place_decay": _PLACES,
        },
    ),
    "item-kNN": Contestant(
        ItemKnn,
        {
            "unit": ("shopper", "visit"),
            "shrinkage": (0.0, 5.0, 20.0, 100.0),
            "asymmetry": (0.3, 0.5, 0.7),
            "neighbours": _NEIGHBOURS,
            "repeat": _REPEAT,
            "half_life_days": _DAYS,
            "place_decay": _PLACES,
        },
    ),
}


def tune(
    contestant: Contestant,
    sequences: Sequences,
    cases: Sequence[Case],
    hashes: Ints,
    split: int,
    trials: int,
    seed: int,
) -> tuple[Baseline, float]:
    """The settings with the best Recall@20 on validation moments, and that recall.

    Args:
        split: what came before it (ms) is learnt from; the cases lie after it.
        trials: at most so many settings are tried, drawn without repetition.
    """
    past = wanted_before(sequences, split)
    best: tuple[Baseline, float] | None = None
    for settings in draw(contestant.space, trials, seed):
        baseline = contestant.make(**settings)
        lists = best_items(baseline.fit(past, len(hashes), split), sequences, cases, hashes)
        wanted = np.array([len(case.relevant) for case in cases])
        recall = accuracy_of_lists(hits(lists, [case.relevant for case in cases]), wanted).recall
        if best is None or recall > best[1]:
            best = baseline, recall
    assert best is not None  # the empty draw is a draw
    return best


def draw(space: Mapping[str, Sequence[object]], trials: int, seed: int) -> list[dict[str, object]]:
    """The defaults, then different settings at random, or all of them where they are few."""
    if not space:
        return [{}]
    sizes = [len(choices) for choices in space.values()]
    chosen = np.random.default_rng(seed).permutation(int(np.prod(sizes)))[: trials - 1]
    drawn = [
        {name: choices[at] for (name, choices), at in zip(space.items(), places, strict=True)}
        for places in zip(*np.unravel_index(chosen, sizes), strict=True)
    ]
    return [{}, *drawn]


def best_items(fitted: Fitted, sequences: Sequences, cases: Sequence[Case], hashes: Ints, k: int = TOP_K) -> Ints:
    """The k best items of each moment as hashes, ties by row; what a case excludes is left out. [B, K]"""
    parts = [np.zeros((0, min(k, len(hashes))), np.int64)]
    for at in range(0, len(cases), _ROWS):
        some = cases[at : at + _ROWS]
        score_BN = fitted.scores(sequences, some)
        exclude = np.array([case.exclude for case in some], np.int64)
        score_BN[exclude[:, None] == hashes[None]] = -np.inf
        order = np.argsort(-score_BN, axis=1, kind="stable")[:, :k]
        best = np.where(np.isneginf(np.take_along_axis(score_BN, order, axis=1)), NO_ITEM, hashes[order])
        parts.append(best)
    return np.concatenate(parts)
