"""Step 4: the questions of a load, one Triton call; popularity where the model gives no answer that may be used."""

from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from typing import Final

import numpy as np

from feature_repo.identity import NO_ITEM
from streams.engine.catalogue import Catalogue
from streams.engine.checking import ITEMS, Checked, Flags, check_scored
from streams.engine.context_blocks import Block, named
from streams.engine.fallback import BASE_CTR, NO_CLICK_HEAD, best_sellers, popularity_answer, shortfall
from streams.engine.list_rules import rule_tensors
from streams.engine.model_faults import FAILED, UNAVAILABLE, ModelFaults
from streams.engine.new_items import NewItems
from streams.engine.questions import Answer, Question
from streams.engine.shop_context import ShopContext
from streams.engine.tensors import to_answers, to_tensors, without_boosts
from streams.engine.trending import Trending
from streams.engine.triton import Triton
from streams.errors import ModelUnavailable, RequestFailed, UnknownBlocks, WrongAnswer
from streams.messages.outputs import ModelRef
from streams.messages.wire import MODEL, ScoreAnswer, ScoreTensors

_TRIES: Final = 4
"""Of one request: another version may answer than the one it was made for, and name items that the shop has not."""
_REQUESTS: Final = 32
_HOPELESS: Final = 12
"""Requests that a load may become where it fails as a whole: halves of halves, down to the question that the model
fails on. Of 512 questions one is found with 19. Where none of so many is answered, it is the version."""


class _Halving:
    """How often a load may be asked for in parts."""

    def __init__(self) -> None:
        self.asked, self.answered = 0, 0

    @property
    def over(self) -> bool:
        """Whether what is left is not asked for."""
        return self.asked >= (_REQUESTS if self.answered else _HOPELESS)


class Scorer:
    """Answers questions with the served version, whichever that is."""

    def __init__(
        self, triton: Triton, catalogue: Catalogue, new_items: NewItems, trending: Trending, *, categories: bool = False
    ) -> None:
        """Args: categories: whether lists are held to categories."""
        self._triton = triton
        self._catalogue = catalogue
        self._new_items = new_items
        self._trending = trending
        self._context = ShopContext(catalogue, new_items, trending, categories=categories)
        self._faults = ModelFaults()
        self._failed = 0
        """Requests in a row, of one load or of several."""
        self._best: tuple[object, list[int]] = (None, [])
        self._met: set[int] = set()
        """Of the items that lists named, those that the catalogue has: none of them leaves it again."""

    async def answer(self, questions: Sequence[Question]) -> Iterable[Answer]:
        """One answer a question, in order, to be gone through once; never raises for what a model does."""
        if not questions:
            return ()
        await self._trending.refresh()
        halving = _Halving()
        try:
            await self._new_items.refresh()
            answers = await self._ask_for(questions, halving)
        except ModelUnavailable as error:
            self._note(error)
            self._new_items.doubt()
            return self._stand_in(questions)
        self._failed = 0 if halving.answered else self._failed + halving.asked
        if self._failed >= _HOPELESS:
            self._new_items.doubt()
            self._triton.give_up(MODEL, f"it fails on {self._failed} requests in a row")
        return answers

    async def _ask_for(self, questions: Sequence[Question], halving: _Halving) -> Iterable[Answer]:
        """Answers; in halves, where the model fails on all together, so that one question costs no other its answer."""
        if halving.over:
            return self._stand_in(questions)
        halving.asked += 1
        try:
            answers = await self._ask_model(questions)
        except RequestFailed as error:
            self._note(error)
            if len(questions) == 1:
                return self._stand_in(questions)
            half = len(questions) // 2
            return [
                *await self._ask_for(questions[:half], halving),
                *await self._ask_for(questions[half:], halving),
            ]
        halving.answered += 1
        return answers

    async def _ask_model(self, questions: Sequence[Question]) -> Iterable[Answer]:
        for left in range(_TRIES - 1, -1, -1):
            # Other loads are answered meanwhile, and may find a new version first.
            made_for = self._new_items.version, self._new_items.encoder
            answer, asked, version = await self._send(questions)
            checked = check_scored(answer, asked)
            if left and (version, int(answer.encoder[0])) != made_for:
                # The version was swapped, or two answer in turns: its extra items are others.
                await self._new_items.refresh(version, int(answer.encoder[0]))
                continue
            unsaleable = self._unsaleable(checked)
            if not left or not unsaleable:
                return self._answers(questions, checked, version, unsaleable)
            self._context.delist(unsaleable)
        raise AssertionError("the last try returns")

    async def _send(self, questions: Sequence[Question]) -> tuple[ScoreAnswer, ScoreTensors, str]:
        """Ask, by the names of what the instance may hold; with what it does not, where it says so.

        Raises:
            ModelUnavailable: as `Triton.ask`.
        """
        blocks, encoder = self._context.blocks(), self._new_items.encoder
        asked = to_tensors(questions, named(blocks, encoder=encoder), self._new_items.repeats)
        rules = rule_tensors(questions, self._catalogue) if self._new_items.takes_rules else {}
        asked = asked._replace(**rules)
        rows = len(questions) + len(asked.candidate_item) // 10
        for turn in range(3):
            try:
                answer, version = await self._triton.ask(MODEL, asked, rows, ScoreAnswer)
                return answer, asked, version
            except RequestFailed:
                if not rules or await self._takes_rules():
                    raise
                return await self._send(questions)
            except UnknownBlocks as unknown:
                # Of several instances each has its own: what comes whole needs none.
                asked = asked._replace(**named(blocks, _to_send(turn, unknown, blocks), encoder)._asdict())
        raise WrongAnswer(ITEMS, "it asks for blocks of the catalogue context that it was sent")

    async def _takes_rules(self) -> bool:
        """Whether the version takes them that is served now: after a rollback it may be one that does not."""
        self._new_items.doubt()
        await self._new_items.refresh()
        return self._new_items.takes_rules

    def _unsaleable(self, checked: Checked) -> set[int]:
        """What lists name and nobody can have: withdrawn meanwhile, or gone long ago and known to the version alone."""
        if not len(self._catalogue):
            return set()
        listed = set(np.unique(checked.answer.rec_item[~checked.bad_lists]).tolist())
        listed.discard(NO_ITEM)
        new = {key for key in listed - self._met if self._catalogue.get(key) is None}
        self._met |= listed - new
        return new | {key for key in listed - new if self._catalogue.is_withdrawn(key)}

    def _answers(
        self, questions: Sequence[Question], checked: Checked, version: str, unsaleable: set[int]
    ) -> Iterable[Answer]:
        answer, bad_lists, bad_rates, faults = checked
        if unsaleable:
            bad_lists = bad_lists | np.isin(answer.rec_item, list(unsaleable)).any(axis=1)
            faults.setdefault(ITEMS, "its lists name items that the shop has not, or has withdrawn")
        for fault, detail in faults.items():
            self._faults.note(MODEL, version, fault, detail)
        answer = without_boosts(answer, self._catalogue.boosted)
        fallbacks = [shortfall(question, self._catalogue) for question in questions]
        answers: Iterable[Answer] = to_answers(questions, answer, ModelRef(MODEL, version), fallbacks)
        if np.isnan(answer.ctr).any():
            answers = map(_with_known_rates, answers)
        if bad_lists.any() or bad_rates.any():
            answers = self._put_right(questions, answers, bad_lists, bad_rates)
        return answers

    def _put_right(
        self, questions: Sequence[Question], answers: Iterable[Answer], bad_lists: Flags, bad_rates: Flags
    ) -> Iterator[Answer]:
        """The answers, with others in the place of those that may not be used."""
        instead = self._stand_in(questions)
        for question, answer, other, bad_list, bad_rate in zip(
            questions, answers, instead, bad_lists.tolist(), bad_rates.tolist(), strict=True
        ):
            bad = (question.recommend and bad_list) or (question.candidates and bad_rate)
            yield other if bad else answer

    def _note(self, error: ModelUnavailable) -> None:
        """Of a model that does not answer at all, the breaker tells."""
        if isinstance(error, WrongAnswer):
            self._faults.note(MODEL, "", error.fault, str(error))
        elif isinstance(error, RequestFailed):
            self._faults.note(MODEL, "", FAILED, str(error))
        else:
            self._faults.count(MODEL, UNAVAILABLE)

    def _stand_in(self, questions: Sequence[Question]) -> list[Answer]:
        popular = self._new_items.popular
        made_of = (self._catalogue.changes, self._trending.ranking, id(popular))
        if made_of != self._best[0]:  # the whole catalogue is in it, and a load may ask for it more than once
            self._best = made_of, best_sellers(self._trending.ranking, popular, self._catalogue)
        ranking = self._best[1]
        model = ModelRef(MODEL, self._new_items.version)
        repeats = self._new_items.repeats
        return [popularity_answer(question, ranking, self._catalogue, model, repeats) for question in questions]


def _to_send(turn: int, unknown: UnknownBlocks, blocks: Sequence[Block]) -> frozenset[int]:
    return unknown.names if turn == 0 else frozenset(block.name for block in blocks)


def _with_known_rates(answer: Answer) -> Answer:
    """A version without a click head still owes a probability: the base rate, and `fallback` says so."""
    if not any(map(isnan, answer.candidate_ctrs)):
        return answer
    rates = [BASE_CTR] * len(answer.candidate_ctrs)
    return answer._replace(candidate_ctrs=rates, fallback=answer.fallback or NO_CLICK_HEAD)
