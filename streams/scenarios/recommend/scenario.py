"""Recommendations: each trigger event is answered with the best items for the shopper now, and why."""

from math import isnan
from typing import Final

from feature_repo.basics.identity import packed_hash
from feature_repo.shoppers.exclusion import bought_items, recent_items
from feature_repo.shoppers.shopper import ShopperState, seen_items
from headrace.messages.events import Event
from headrace.messages.outputs import Recommendation, RecommendedItem
from headrace.reason_texts import reason_texts
from headrace.scenarios import OutputTopic, QueryResult, Row, Scenario
from headrace.settings import Exclude, Settings
from headrace.topics import Topic
from streams.scenarios.recommend.reasons import ReasonBuilder
from streams.serving.shopper_scorer.fallback import MODEL_UNAVAILABLE
from streams.serving.shopper_scorer.list_rules import target_categories
from streams.serving.shopper_scorer.queries import SHOPPER_SCORER, ShopperQuery, logged_features


def _answers(input_: object, settings: Settings) -> bool:
    return isinstance(input_, Event) and input_.type in settings.triggers


def _query(event: Event, row: Row, settings: Settings) -> ShopperQuery:
    return ShopperQuery(
        input=event,
        recent=row.shopper.recent,
        exclude=_exclude(event, row.shopper, settings.exclude),
        recommend=True,
        candidates=(),
        channel=event.channel,
        bought=bought_items(row.shopper) if settings.exclude is Exclude.AUTO else b"",
        rule=settings.list_rule(event.type),
    )


def _exclude(event: Event, state: ShopperState, rule: Exclude) -> bytes:
    if rule is Exclude.NONE:
        return b""
    current = packed_hash(event.item_id) if event.item_id else b""
    if rule is Exclude.AUTO:
        return current + recent_items(state.recent, event.timestamp)
    if rule is Exclude.PURCHASED:
        return current + state.bought
    return current + seen_items(state) if rule is Exclude.SEEN else current


def _output(answer: QueryResult) -> Recommendation:
    event, query, result, catalogue = answer.input, answer.query, answer.result, answer.catalogue
    ranked, entries = result.ranked, list(catalogue.entries(result.ranked.items))
    texts = reason_texts(answer.settings.reasons)
    categories = target_categories(query, catalogue) if catalogue.has_pins else ()
    reason_builder = ReasonBuilder(query.recent, catalogue, texts, categories)
    otherwise = "popular" if result.fallback == MODEL_UNAVAILABLE else "range"
    reasons = reason_builder.of_list(ranked, entries, otherwise)
    return Recommendation(
        id=answer.output_id,
        timestamp=event.timestamp,
        model=result.model,
        fallback=result.fallback,
        event_id=event.event_id,
        user_id=event.user_id,
        # A version may know items that the catalogue has never had.
        items=[
            RecommendedItem(entry.item_id, score, None if isnan(ctr) else ctr, why)
            for entry, score, ctr, why in zip(entries, ranked.scores, ranked.ctrs, reasons, strict=True)
            if entry is not None
        ],
    )


RECOMMEND: Final = Scenario(
    name="recommend",
    answers=_answers,
    query=_query,
    output=_output,
    outputs=[OutputTopic(name=Topic.RECOMMENDATIONS, message=Recommendation)],
    scorer=SHOPPER_SCORER,
    features=logged_features,
)
