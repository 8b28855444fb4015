"""What is answered when the model does not, and how an answer says that it is not the model's best."""

from collections.abc import Collection, Iterable, Sequence
from itertools import islice
from math import nan

from feature_repo.history import hashes
from feature_repo.identity import NO_ITEM
from streams.engine.catalogue import Catalogue
from streams.engine.questions import NO_LIST, Answer, Listed, Question
from streams.messages.events import Event
from streams.messages.outputs import ModelRef
from streams.messages.wire import REASONS, TOP_K, Ints

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
    return list(dict.fromkeys([*first, *known]))


def popularity_answer(
    question: Question, ranking: Sequence[int], unavailable: Collection[int], model: ModelRef
) -> Answer:
    """Answer from a popularity ranking, under the question's exclusions. Pure; shapes as the model's answers."""
    excluded = set(hashes(question.exclude).tolist())
    listed = NO_LIST
    if question.recommend:
        fit = (key for key in ranking if key not in excluded and key not in unavailable and key != NO_ITEM)
        listed = _list(list(islice(fit, TOP_K)))
    return Answer(listed, [BASE_CTR] * len(question.candidates), model, MODEL_UNAVAILABLE)


def _list(best: list[int]) -> Listed:
    return Listed(
        items=best + [NO_ITEM] * (TOP_K - len(best)),
        scores=[1 / (1 + place) for place in range(TOP_K)],
        ctrs=[nan] * TOP_K,
        reason_events=[[-1] * TOP_K] * REASONS,
        reason_weights=[[0.0] * TOP_K] * REASONS,
        parts=[0] * TOP_K,
        part_weights=[0.0] * TOP_K,
    )
