"""Lists as a worker would answer them: its own questions and exclusions, the version's scorer, no server between.

Everything that decides a list goes through `ask` and `answer`, as settings say.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple, cast

import numpy as np
import torch

from feature_repo.basics.identity import NO_ITEM
from feature_repo.shoppers.shopper import ShopperState
from headrace.arrays import MODEL, ScoreAnswer
from headrace.messages.events import Event
from headrace.messages.ids import answer_id
from headrace.messages.outputs import ModelRef, Recommendation
from headrace.scenarios import QueryResult
from headrace.settings.model import Settings
from model_repo.headrace.scorer import ServedScorer
from streams.scenarios.ctr import CTR
from streams.scenarios.recommend.scenario import RECOMMEND
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.catalogue.context_blocks import CatalogueContext
from streams.serving.shopper_scorer.queries import ShopperQuery, ShopperResult
from streams.serving.shopper_scorer.tensors import to_results, to_tensors
from trainer.data.excluding import repeats_of
from trainer.data.score_requests import as_tensors

_ROWS: Final = 256


class _Row(NamedTuple):
    """A shopper's row as a scenario's query sees it."""

    user_id: str
    shopper: ShopperState
    views: dict[str, Any]


class Answered(NamedTuple):
    """What the version said to one question: item hashes, best first, and click rates; NaN without a click head."""

    items: Sequence[int]
    ctrs: Sequence[float]


def ask(event: Event, state: ShopperState, settings: Settings) -> ShopperQuery:
    """The worker's question for an event: of a list, or of an impression's click rates."""
    scenario = RECOMMEND if RECOMMEND.answers(event, settings) else CTR
    return scenario.query(event, _Row(event.user_id, state, {}), settings)


def answer(scorer: ServedScorer, queries: Sequence[ShopperQuery], catalogue: Catalogue) -> Iterator[Answered]:
    """One answer a question, without what the catalogue has withdrawn or never had, as a worker delists it."""
    for query, made in zip(queries, _answers(scorer, queries, catalogue), strict=True):
        if query.recommend:
            yield Answered(made.ranked.items, made.ranked.ctrs)
        else:
            yield Answered((), made.candidate_ctrs)


def messages(
    scorer: ServedScorer, queries: Sequence[ShopperQuery], catalogue: Catalogue, settings: Settings
) -> Iterator[Recommendation]:
    """The messages that go out for questions of lists."""
    for query, made in zip(queries, _answers(scorer, queries, catalogue), strict=True):
        output_id = answer_id(RECOMMEND.name, cast(Event, query.input))
        message = RECOMMEND.output(QueryResult(query.input, output_id, query, made, catalogue, settings))
        assert isinstance(message, Recommendation)
        yield message


def _answers(scorer: ServedScorer, queries: Sequence[ShopperQuery], catalogue: Catalogue) -> Iterator[ShopperResult]:
    known = np.fromiter(catalogue, np.int64)
    version = scorer.arrays["item_hash"].numpy()
    gone = np.union1d(catalogue.withdrawn(), np.setdiff1d(version, known)) if len(known) else catalogue.withdrawn()
    width = scorer.arrays["item_vector"].shape[1]
    nothing, none = np.array([NO_ITEM], np.int64), np.zeros(1, np.float32)
    shop = CatalogueContext(gone, nothing, np.zeros((1, width), np.float32), nothing, none)
    repeats = repeats_of(scorer.arrays)
    for at in range(0, len(queries), _ROWS):
        some = queries[at : at + _ROWS]
        with torch.inference_mode():
            answer = scorer.score(as_tensors(to_tensors(some, shop, repeats)))
        tensors = ScoreAnswer(**{name: answer[name].numpy() for name in ScoreAnswer._fields if name in answer})
        yield from to_results(some, tensors, ModelRef(MODEL, ""), [None] * len(some))
