"""What is answered when the model does not, and how an answer says that it is not the model's best."""

from collections.abc import Iterable, Sequence
from math import nan

from feature_repo.exclusion import without_repeats
from feature_repo.history import hashes
from feature_repo.identity import NO_ITEM
from streams.engine.catalogue import Catalogue
from streams.engine.list_rules import boosted_first, by_popularity
from streams.engine.questions import NO_LIST, Answer, Listed, Question
from streams.messages.events import Event
from streams.messages.outputs import ModelRef
from streams.messages.wire import REASONS, Ints

MODEL_UNAVAILABLE = "model_unavailable"
UNKNOWN_USER = "unknown_user"
UNKNOWN_ITEM = "unknown_item"
NO_CLICK_HEAD = "no_click_head"

#: Click probability said when nothing at all is known: the order of magnitude of published click rates of shops.
BASE_CTR = 0.05


def shortfall(question: Question, catalogue: Catalogue) -> str | None:
    """Why the model's answer to a question is weaker than usual, or None. Pure."""
    if not question.recent:
        return UNKNOWN_USER
    cause, asked = question.cause, question.candidates
    if not asked and isinstance(cause, Event) and cause.item_id is not None:
        asked = (cause.item_id,)
    return None if all(map(catalogue.__contains__, asked)) else UNKNOWN_ITEM


def best_sellers(trending: Iterable[int], popular: Ints, catalogue: Catalogue) -> list[int]:
    """The list that stands in for the model: what trends, what the version knows as popular, the rest of the shop."""
    known = sorted(catalogue)
    listed = set(known)  # what the catalogue never told of cannot be named, and would leave a gap in the list
    first = (key for key in (*trending, *popular.tolist()) if key in listed)
    ranking = dict.fromkeys([*first, *known])
    return boosted_first([key for key in ranking if not catalogue.is_withdrawn(key)], catalogue)


def popularity_answer(
    question: Question,
    ranking: Sequence[int],
    catalogue: Catalogue,
    model: ModelRef,
    repeats: Ints | None = None,
) -> Answer:
    """Answer from a popularity ranking, under the question's exclusions and rule. Pure; shapes as the model's answers.

    Args:
        repeats: as in `tensors.to_tensors`; None: all that was bought is left out.
    """
    listed = NO_LIST
    if question.recommend:
        bought = hashes(question.bought)
        kept_out = bought if repeats is None else without_repeats(bought, repeats)
        left_out = {*hashes(question.exclude).tolist(), *kept_out.tolist()}
        listed = _list(by_popularity(question, ranking, left_out, catalogue), question.rule.length)
    return Answer(listed, [BASE_CTR] * len(question.candidates), model, MODEL_UNAVAILABLE)


def _list(best: list[int], length: int) -> Listed:
    return Listed(
        items=best + [NO_ITEM] * (length - len(best)),
        scores=[1 / (1 + place) for place in range(length)],
        ctrs=[nan] * length,
        reason_events=[[-1] * length] * REASONS,
        reason_weights=[[0.0] * length] * REASONS,
        parts=[0] * length,
        part_weights=[0.0] * length,
    )
