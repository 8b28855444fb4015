"""What a request says of how lists are to be made, and the same rules for lists that popularity makes."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feature_repo.history import cells
from feature_repo.identity import NO_ITEM, item_hash
from streams.engine.catalogue import Catalogue
from streams.engine.questions import Question
from streams.messages.events import Event
from streams.messages.wire import TOP_K, Ints


def rule_tensors(questions: Sequence[Question], catalogue: Catalogue) -> dict[str, NDArray[Any]]:
    """The tensors of `ScoreTensors` that lists of another kind than a version makes by itself need; none for those."""
    wanted = [question for question in questions if question.recommend]
    tensors: dict[str, NDArray[Any]] = {}
    longest = max((question.rule.length for question in wanted), default=TOP_K)
    if longest != TOP_K:
        tensors["list_length"] = np.array([longest], np.int32)
    if any(question.rule.diversity is not None for question in wanted):
        tensors["diversity"] = np.array([_diversity(question) for question in questions], np.float32)
    pins = [pinned(question, catalogue) for question in questions]
    if any(pins):
        tensors["pinned"] = _padded(pins)
    kept = [kept_categories(question, catalogue) for question in questions]
    if any(kept):
        tensors["kept_category"] = _padded([[item_hash(name) for name in names] for names in kept])
    return tensors


def pinned(question: Question, catalogue: Catalogue) -> Sequence[int]:
    """Hashes of what comes first in a list: what is pinned for one of the categories that it is for."""
    if not question.recommend:
        return ()
    return catalogue.pinned(listed_for(question, catalogue))


def listed_for(question: Question, catalogue: Catalogue) -> Collection[str]:
    """The categories that a list is for: those of the event's item, else those that it is held to."""
    own = _own(question, catalogue)
    return own or (() if question.rule.same else question.rule.categories)


def kept_categories(question: Question, catalogue: Catalogue) -> Sequence[str]:
    """The categories that a list is held to; none for any. `same` is the narrowest of the event's item."""
    if not question.recommend:
        return ()
    return _own(question, catalogue)[-1:] if question.rule.same else question.rule.categories


def by_popularity(
    question: Question, ranking: Iterable[int], left_out: Collection[int], catalogue: Catalogue
) -> list[int]:
    """The list that popularity makes: what is pinned, then the best ranked, under the same rules."""
    kept = frozenset(kept_categories(question, catalogue))
    found: dict[int, None] = {}
    for key in (*pinned(question, catalogue), *ranking):
        if len(found) == question.rule.length:
            break
        if key == NO_ITEM or key in left_out:
            continue
        entry = catalogue.get(key)
        if not kept or (entry and not kept.isdisjoint(entry.categories)):
            found[key] = None
    return list(found)


def boosted_first(ranking: Sequence[int], catalogue: Catalogue) -> list[int]:
    """A ranking in which each point of a boost doubles an item's weight; a place has the weight 1 / place."""
    points = catalogue.boosted
    if not points:
        return list(ranking)
    weight = [2 ** points.get(key, 0.0) / (1 + place) for place, key in enumerate(ranking)]
    return [ranking[place] for place in sorted(range(len(ranking)), key=lambda place: -weight[place])]


def _own(question: Question, catalogue: Catalogue) -> tuple[str, ...]:
    cause = question.cause
    return catalogue.categories(cause.item_id) if isinstance(cause, Event) and cause.item_id else ()


def _diversity(question: Question) -> float:
    return np.nan if question.rule.diversity is None else question.rule.diversity


def _padded(rows: Sequence[Sequence[int]]) -> Ints:
    lengths = [len(row) for row in rows]
    padded = np.full((len(rows), max(lengths)), NO_ITEM, np.int64)
    padded[cells(lengths)] = np.array([key for row in rows for key in row], np.int64)
    return padded
