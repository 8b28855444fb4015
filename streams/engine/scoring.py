"""Step 4: the questions of a load, one Triton call; popularity where Triton does not answer."""

from collections.abc import Iterable, Sequence
from math import isnan

import numpy as np

from feature_repo.identity import NO_ITEM
from streams.engine.catalogue import Catalogue
from streams.engine.fallback import BASE_CTR, NO_CLICK_HEAD, best_sellers, popularity_answer, shortfall
from streams.engine.new_items import NewItems
from streams.engine.questions import Answer, Question
from streams.engine.tensors import Surroundings, to_answers, to_tensors
from streams.engine.trending import Trending
from streams.engine.triton import Triton
from streams.errors import ModelUnavailable
from streams.messages.outputs import ModelRef
from streams.messages.wire import MODEL, Ints, ScoreAnswer


class Scorer:
    """Answers questions with the served version, whichever that is."""

    def __init__(self, triton: Triton, catalogue: Catalogue, new_items: NewItems, trending: Trending) -> None:
        self._triton = triton
        self._catalogue = catalogue
        self._new_items = new_items
        self._trending = trending
        self._strangers: set[int] = set()
        self._met: set[int] = set()
        """Of the items that lists named, those that the catalogue has: none of them leaves it again."""

    async def answer(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """One answer a question, in order, to be gone through once; never raises for a missing model."""
        if not questions:
            return ()
        await self._trending.refresh()
        try:
            return await self._ask_model(questions)
        except ModelUnavailable:
            self._new_items.doubt()
            return self._stand_in(questions)

    async def _ask_model(self, questions: Sequence[Question]) -> Iterable[Answer]:
        await self._new_items.refresh()
        while True:
            # Other loads are answered meanwhile, and may find a new version first.
            made_for, tensors = self._new_items.version, to_tensors(questions, self._surroundings())
            rows = len(questions) + len(tensors.candidate_item) // 10
            answer, version = await self._triton.ask(MODEL, tensors, rows, ScoreAnswer)
            if version != made_for:
                await self._new_items.refresh(version)  # the version was swapped: its extra items are others
            elif not self._learn_strangers(answer):
                break
        fallbacks = [shortfall(question, self._catalogue) for question in questions]
        answers = to_answers(questions, answer, ModelRef(MODEL, version), fallbacks)
        return map(_with_known_rates, answers) if np.isnan(answer.ctr).any() else answers

    def _learn_strangers(self, answer: ScoreAnswer) -> bool:
        """Whether lists came back short of items, tombstoned long ago, say, that only the version knows of still."""
        if not len(self._catalogue):
            return False
        listed = set(np.unique(answer.rec_item).tolist()) - self._met
        new = {key for key in listed if key != NO_ITEM and self._catalogue.get(key) is None}
        self._met |= listed - new
        new -= self._strangers
        self._strangers |= new
        return bool(new)

    def _strangers_left(self) -> Ints:
        return np.array([key for key in self._strangers if self._catalogue.get(key) is None], np.int64)

    def _surroundings(self) -> Surroundings:
        return Surroundings(
            withdrawn=np.union1d(self._catalogue.withdrawn(), self._strangers_left()),
            extra_item=self._new_items.items,
            extra_vector=self._new_items.matrix,
            boost_item=self._trending.items,
            boost=self._trending.boost,
        )

    def _stand_in(self, questions: Sequence[Question]) -> list[Answer]:
        ranking = best_sellers(self._trending.ranking, self._new_items.popular, self._catalogue)
        unavailable = set(self._catalogue.withdrawn().tolist())
        model = ModelRef(MODEL, self._new_items.version)
        return [popularity_answer(question, ranking, unavailable, model) for question in questions]


def _with_known_rates(answer: Answer) -> Answer:
    """A version without a click head still owes a probability: the base rate, and `fallback` says so."""
    if not any(map(isnan, answer.candidate_ctrs)):
        return answer
    rates = [BASE_CTR] * len(answer.candidate_ctrs)
    return answer._replace(candidate_ctrs=rates, fallback=answer.fallback or NO_CLICK_HEAD)
