"""Step 4: the queries of a batch, one Triton call; popularity where the model gives no usable result."""

from collections.abc import Iterable, Iterator, Sequence
from math import isnan
from typing import Final

import numpy as np

from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import MODEL, ScoreAnswer, ScoreTensors
from headrace.errors import ModelUnavailable, RequestFailed, UnknownBlocks, WrongAnswer
from headrace.messages.outputs import ModelRef
from streams.serving.catalogue.context import ShopContext
from streams.serving.catalogue.context_blocks import Block, CatalogueContext, named
from streams.serving.models.faults import FAILED, UNAVAILABLE, ModelFaults
from streams.serving.models.verify import ITEMS, Checked, Flags, check_scored
from streams.serving.serving import WorkerServing
from streams.serving.shopper_scorer.fallback import (
    BASE_CTR,
    NO_CLICK_HEAD,
    best_sellers,
    fallback_reason,
    popularity_result,
)
from streams.serving.shopper_scorer.list_rules import rule_tensors
from streams.serving.shopper_scorer.queries import ShopperQuery, ShopperResult
from streams.serving.shopper_scorer.tensors import to_results, to_tensors, without_boosts

_TRIES: Final = 4
"""Of one request: another version may answer than the one it was made for, and name items that the shop has not."""
_MAX_REQUESTS: Final = 32
_MAX_FAILED_REQUESTS: Final = 12
"""Requests that a batch may become where it fails as a whole: halves of halves, down to the question that the model
fails on. Of 512 questions one is found with 19. Where none of so many is answered, it is the version."""


class _Bisection:
    """How many requests a batch may become."""

    def __init__(self) -> None:
        self.requests, self.succeeded = 0, 0

    @property
    def exhausted(self) -> bool:
        """Whether the remaining queries get the fallback."""
        return self.requests >= (_MAX_REQUESTS if self.succeeded else _MAX_FAILED_REQUESTS)


class ShopperBatchScorer:
    """Results of queries from the served version of the shopper model, whichever that is."""

    def __init__(self, serving: WorkerServing) -> None:
        self._triton = serving.triton
        self._catalogue = catalogue = serving.follower.catalogue
        self._new_items = serving.new_items
        self._trending = serving.trending
        categories = serving.settings.holds_to_categories
        self._context = ShopContext(catalogue, serving.new_items, serving.trending, categories=categories)
        self._faults = ModelFaults()
        self._failed = 0
        """Requests in a row, of one batch or of several."""
        self._popularity: tuple[object, list[int]] = (None, [])
        self._named_last: tuple[tuple[int, ...], CatalogueContext] = (), named(())
        self._known_items: set[int] = set()
        """Of the items that lists named, those that the catalogue has: none of them leaves it again."""

    async def score(self, queries: Sequence[ShopperQuery]) -> Iterable[ShopperResult]:
        """One result a query, in order, to be iterated once; never raises for what a model does."""
        if not queries:
            return ()
        await self._trending.refresh()
        bisection = _Bisection()
        try:
            await self._new_items.refresh()
            results = await self._score_or_split(queries, bisection)
        except ModelUnavailable as error:
            self._count_fault(error)
            self._new_items.mark_stale()
            return self._fallback_results(queries)
        self._failed = 0 if bisection.succeeded else self._failed + bisection.requests
        if self._failed >= _MAX_FAILED_REQUESTS:
            self._new_items.mark_stale()
            self._triton.mark_unavailable(MODEL, f"it fails on {self._failed} requests in a row")
        return results

    async def _score_or_split(self, queries: Sequence[ShopperQuery], bisection: _Bisection) -> Iterable[ShopperResult]:
        """Answers; in halves, where the model fails on all together, so that one question costs no other its answer."""
        if bisection.exhausted:
            return self._fallback_results(queries)
        bisection.requests += 1
        try:
            results = await self._score(queries)
        except RequestFailed as error:
            self._count_fault(error)
            if len(queries) == 1:
                return self._fallback_results(queries)
            half = len(queries) // 2
            return [
                *await self._score_or_split(queries[:half], bisection),
                *await self._score_or_split(queries[half:], bisection),
            ]
        bisection.succeeded += 1
        return results

    async def _score(self, queries: Sequence[ShopperQuery]) -> Iterable[ShopperResult]:
        for left in range(_TRIES - 1, -1, -1):
            # Other batches are answered meanwhile, and may find a new version first.
            made_for = self._new_items.version, self._new_items.encoder
            answer, tensors, version = await self._send(queries)
            checked = check_scored(answer, tensors)
            if left and (version, int(answer.encoder[0])) != made_for:
                # The version was swapped, or two answer in turns: its extra items are others.
                await self._new_items.refresh(version, int(answer.encoder[0]))
                continue
            unsaleable = self._unsaleable(checked)
            if not left or not unsaleable:
                return self._results(queries, checked, version, unsaleable)
            self._context.delist(unsaleable)
        raise AssertionError("the last try returns")

    async def _send(self, queries: Sequence[ShopperQuery]) -> tuple[ScoreAnswer, ScoreTensors, str]:
        """Ask, by the names of what the instance may hold; with what it does not, where it says so.

        Raises:
            ModelUnavailable: as `Triton.ask`.
        """
        blocks, encoder = self._context.blocks(), self._new_items.encoder
        tensors = to_tensors(queries, self._named(blocks, encoder), self._new_items.repeats)
        rules = rule_tensors(queries, self._catalogue) if self._new_items.supports_rules else {}
        tensors = tensors._replace(**rules)
        rows = len(queries) + len(tensors.candidate_item) // 10
        for turn in range(3):
            try:
                answer, version = await self._triton.infer(MODEL, tensors, rows, ScoreAnswer)
                return answer, tensors, version
            except RequestFailed:
                if not rules or await self._supports_rules():
                    raise
                return await self._send(queries)
            except UnknownBlocks as unknown:
                # Of several instances each has its own: what comes whole needs none.
                tensors = tensors._replace(**named(blocks, _to_send(turn, unknown, blocks), encoder)._asdict())
        raise WrongAnswer(ITEMS, "it asks for blocks of the catalogue context that it was sent")

    def _named(self, blocks: Sequence[Block], encoder: int) -> CatalogueContext:
        """The context by the names of its blocks: mostly that of the request before."""
        names = (encoder, *[block.name for block in blocks])
        if names != self._named_last[0]:
            self._named_last = names, named(blocks, encoder=encoder)
        return self._named_last[1]

    async def _supports_rules(self) -> bool:
        """Whether the version takes them that is served now: after a rollback it may be one that does not."""
        self._new_items.mark_stale()
        await self._new_items.refresh()
        return self._new_items.supports_rules

    def _unsaleable(self, checked: Checked) -> set[int]:
        """What lists name and nobody can have: withdrawn meanwhile, or gone long ago and known to the version alone."""
        if not len(self._catalogue):
            return set()
        listed = set(np.unique(checked.answer.rec_item[~checked.bad_lists]).tolist())
        listed.discard(NO_ITEM)
        new = {key for key in listed - self._known_items if self._catalogue.get(key) is None}
        self._known_items |= listed - new
        return new | self._catalogue.withdrawn_among(listed)

    def _results(
        self, queries: Sequence[ShopperQuery], checked: Checked, version: str, unsaleable: set[int]
    ) -> Iterable[ShopperResult]:
        answer, bad_lists, bad_rates, faults = checked
        if unsaleable:
            bad_lists = bad_lists | np.isin(answer.rec_item, list(unsaleable)).any(axis=1)
            faults.setdefault(ITEMS, "its lists name items that the shop has not, or has withdrawn")
        for fault, detail in faults.items():
            self._faults.note(MODEL, version, fault, detail)
        answer = without_boosts(answer, self._catalogue.boosted)
        fallbacks = [fallback_reason(query, self._catalogue) for query in queries]
        results: Iterable[ShopperResult] = to_results(queries, answer, ModelRef(MODEL, version), fallbacks)
        if np.isnan(answer.ctr).any():
            results = map(_with_base_rates, results)
        if bad_lists.any() or bad_rates.any():
            results = self._replace_invalid(queries, results, bad_lists, bad_rates)
        return results

    def _replace_invalid(
        self, queries: Sequence[ShopperQuery], results: Iterable[ShopperResult], bad_lists: Flags, bad_rates: Flags
    ) -> Iterator[ShopperResult]:
        """The answers, with others in the place of those that may not be used."""
        instead = self._fallback_results(queries)
        for query, answer, other, bad_list, bad_rate in zip(
            queries, results, instead, bad_lists.tolist(), bad_rates.tolist(), strict=True
        ):
            bad = (query.recommend and bad_list) or (query.candidates and bad_rate)
            yield other if bad else answer

    def _count_fault(self, error: ModelUnavailable) -> None:
        """A model that does not answer at all is logged by the circuit breaker."""
        if isinstance(error, WrongAnswer):
            self._faults.note(MODEL, "", error.fault, str(error))
        elif isinstance(error, RequestFailed):
            self._faults.note(MODEL, "", FAILED, str(error))
        else:
            self._faults.count(MODEL, UNAVAILABLE)

    def _fallback_results(self, queries: Sequence[ShopperQuery]) -> list[ShopperResult]:
        popular = self._new_items.popular
        made_of = (self._catalogue.changes, self._trending.ranking, id(popular))
        if made_of != self._popularity[0]:  # the whole catalogue is in it, and a batch may ask for it more than once
            self._popularity = made_of, best_sellers(self._trending.ranking, popular, self._catalogue)
        ranking = self._popularity[1]
        model = ModelRef(MODEL, self._new_items.version)
        repeats = self._new_items.repeats
        return [popularity_result(query, ranking, self._catalogue, model, repeats) for query in queries]


def _to_send(turn: int, unknown: UnknownBlocks, blocks: Sequence[Block]) -> frozenset[int]:
    return unknown.names if turn == 0 else frozenset(block.name for block in blocks)


def _with_base_rates(result: ShopperResult) -> ShopperResult:
    """A version without a click head still owes a probability: the base rate, and `fallback` says so."""
    if not any(map(isnan, result.candidate_ctrs)):
        return result
    rates = [BASE_CTR] * len(result.candidate_ctrs)
    return result._replace(candidate_ctrs=rates, fallback=result.fallback or NO_CLICK_HEAD)
