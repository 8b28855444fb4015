"""Recommendations: each trigger event is answered with the best items for the shopper now, and why."""

from math import isnan

from feature_repo.exclusion import lately, owned
from feature_repo.identity import packed_hash
from feature_repo.shopper import ShopperState, seen_items
from streams.engine.catalogue import Catalogue
from streams.engine.fallback import MODEL_UNAVAILABLE
from streams.engine.list_rules import listed_for
from streams.engine.questions import Answer, Caused, Question, Scenario
from streams.messages.events import Event
from streams.messages.outputs import Recommendation, RecommendedItem
from streams.reason_texts import reason_texts
from streams.scenarios.reasons import Because
from streams.settings import Exclude, Settings
from streams.topics import Topic


def _wants(cause: Caused, settings: Settings) -> bool:
    return isinstance(cause, Event) and cause.type in settings.triggers


def _ask(scenario: Scenario, cause: Caused, output_id: str, state: ShopperState, settings: Settings) -> Question:
    assert isinstance(cause, Event)
    return Question(
        scenario=scenario,
        cause=cause,
        output_id=output_id,
        recent=state.recent,
        exclude=_exclude(cause, state, settings.exclude),
        recommend=True,
        candidates=(),
        channel=cause.channel,
        bought=owned(state) if settings.exclude is Exclude.AUTO else b"",
        rule=settings.list_rule(cause.type),
    )


def _exclude(cause: Event, state: ShopperState, rule: Exclude) -> bytes:
    if rule is Exclude.NONE:
        return b""
    current = packed_hash(cause.item_id) if cause.item_id else b""
    if rule is Exclude.AUTO:
        return current + lately(state.recent, cause.timestamp)
    if rule is Exclude.PURCHASED:
        return current + state.bought
    return current + seen_items(state) if rule is Exclude.SEEN else current


def _answer(question: Question, answer: Answer, catalogue: Catalogue, settings: Settings) -> Recommendation:
    cause = question.cause
    assert isinstance(cause, Event)
    listed, entries = answer.listed, list(catalogue.entries(answer.listed.items))
    texts, categories = reason_texts(settings.reasons), listed_for(question, catalogue)
    because = Because(question.recent, catalogue, texts, categories)
    otherwise = "popular" if answer.fallback == MODEL_UNAVAILABLE else "range"
    reasons = because.of_list(listed, entries, otherwise)
    return Recommendation(
        id=question.output_id,
        timestamp=cause.timestamp,
        model=answer.model,
        fallback=answer.fallback,
        event_id=cause.event_id,
        user_id=cause.user_id,
        # A version may know items that the catalogue never told of.
        items=[
            RecommendedItem(entry.item_id, score, None if isnan(ctr) else ctr, why)
            for entry, score, ctr, why in zip(entries, listed.scores, listed.ctrs, reasons, strict=True)
            if entry is not None
        ],
    )


RECOMMEND = Scenario("recommend", Topic.RECOMMENDATIONS, False, _wants, _ask, _answer)
