"""Recommendations: each trigger event is answered with the best items for the shopper now, and why."""

from math import isnan

from feature_repo.basics.identity import packed_hash
from feature_repo.shoppers.exclusion import bought_items, recent_items
from feature_repo.shoppers.shopper import ShopperState, seen_items
from headrace.messages.events import Event
from headrace.messages.outputs import Recommendation, RecommendedItem
from headrace.reason_texts import reason_texts
from headrace.settings.model import Exclude, Settings
from headrace.topics import Topic
from streams.scenarios.recommend.reasons import ReasonBuilder
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.shopper_scorer.fallback import MODEL_UNAVAILABLE
from streams.serving.shopper_scorer.list_rules import target_categories
from streams.serving.shopper_scorer.queries import Input, Query, Result, Scenario


def _accepts(input_: Input, settings: Settings) -> bool:
    return isinstance(input_, Event) and input_.type in settings.triggers


def _make_query(scenario: Scenario, input_: Input, output_id: str, state: ShopperState, settings: Settings) -> Query:
    assert isinstance(input_, Event)
    return Query(
        scenario=scenario,
        input=input_,
        output_id=output_id,
        recent=state.recent,
        exclude=_exclude(input_, state, settings.exclude),
        recommend=True,
        candidates=(),
        channel=input_.channel,
        bought=bought_items(state) if settings.exclude is Exclude.AUTO else b"",
        rule=settings.list_rule(input_.type),
    )


def _exclude(input_: Event, state: ShopperState, rule: Exclude) -> bytes:
    if rule is Exclude.NONE:
        return b""
    current = packed_hash(input_.item_id) if input_.item_id else b""
    if rule is Exclude.AUTO:
        return current + recent_items(state.recent, input_.timestamp)
    if rule is Exclude.PURCHASED:
        return current + state.bought
    return current + seen_items(state) if rule is Exclude.SEEN else current


def _make_output(query: Query, result: Result, catalogue: Catalogue, settings: Settings) -> Recommendation:
    input_ = query.input
    assert isinstance(input_, Event)
    ranked, entries = result.ranked, list(catalogue.entries(result.ranked.items))
    texts, categories = reason_texts(settings.reasons), target_categories(query, catalogue)
    reason_builder = ReasonBuilder(query.recent, catalogue, texts, categories)
    otherwise = "popular" if result.fallback == MODEL_UNAVAILABLE else "range"
    reasons = reason_builder.of_list(ranked, entries, otherwise)
    return Recommendation(
        id=query.output_id,
        timestamp=input_.timestamp,
        model=result.model,
        fallback=result.fallback,
        event_id=input_.event_id,
        user_id=input_.user_id,
        # A version may know items that the catalogue lacks.
        items=[
            RecommendedItem(entry.item_id, score, None if isnan(ctr) else ctr, why)
            for entry, score, ctr, why in zip(entries, ranked.scores, ranked.ctrs, reasons, strict=True)
            if entry is not None
        ],
    )


RECOMMEND = Scenario("recommend", Topic.RECOMMENDATIONS, False, _accepts, _make_query, _make_output)
