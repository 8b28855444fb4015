"""Recommendations: each trigger event is answered with the best items for the shopper now, and why."""

from collections.abc import Iterator

import numpy as np

from feature_repo.actions import ACTIONS
from feature_repo.identity import NO_ITEM, item_hash
from feature_repo.shopper import RecentEvent, ShopperState
from streams.engine.catalogue import Catalogue
from streams.engine.questions import Answer, Caused, Question, Scenario
from streams.messages.events import Event
from streams.messages.outputs import Recommendation, RecommendationReason, RecommendedItem
from streams.messages.wire import HISTORY, PARTS
from streams.settings import Exclude, Settings
from streams.topics import Topic

_DID = {
    "view": "viewed",
    "click": "clicked",
    "add_to_cart": "added to the cart",
    "remove_from_cart": "removed from the cart",
    "purchase": "bought",
    "return": "returned",
    "review": "reviewed",
}
_OF_ITSELF = {
    "description": "its description fits what you look for",
    "popular": "popular with other shoppers",
}
_PAST = {code: _DID[name] for code, name in enumerate(ACTIONS) if name in _DID}


def _wants(cause: Caused, settings: Settings) -> bool:
    return isinstance(cause, Event) and cause.type in settings.triggers


def _ask(scenario: Scenario, cause: Caused, output_id: str, state: ShopperState, settings: Settings) -> Question:
    assert isinstance(cause, Event)
    return Question(
        scenario=scenario,
        cause=cause,
        output_id=output_id,
        recent=tuple(state.recent),
        exclude=_exclude(cause, state, settings.exclude),
        recommend=True,
        candidates=(),
        channel=cause.channel,
    )


def _exclude(cause: Event, state: ShopperState, rule: Exclude) -> bytes:
    if rule is Exclude.NONE:
        return b""
    current = item_hash(cause.item_id).to_bytes(8, "little", signed=True) if cause.item_id else b""
    if rule is Exclude.PURCHASED:
        return current + state.bought
    return current + state.seen if rule is Exclude.SEEN else current


def _answer(question: Question, answer: Answer, catalogue: Catalogue) -> Recommendation:
    cause = question.cause
    assert isinstance(cause, Event)
    return Recommendation(
        id=question.output_id,
        timestamp=cause.timestamp,
        model=answer.model,
        fallback=answer.fallback,
        event_id=cause.event_id,
        user_id=cause.user_id,
        items=list(_items(question, answer, catalogue)),
    )


def _items(question: Question, answer: Answer, catalogue: Catalogue) -> Iterator[RecommendedItem]:
    for place, key in enumerate(answer.items.tolist()):
        entry = catalogue.get(key)
        if key == NO_ITEM or entry is None:  # a version may know items that the catalogue never told of
            continue
        ctr = float(answer.ctrs[place])
        yield RecommendedItem(
            item_id=entry.item_id,
            score=float(answer.scores[place]),
            ctr=None if np.isnan(ctr) else ctr,
            reasons=_reasons(question, answer, place, catalogue),
        )


def _reasons(question: Question, answer: Answer, place: int, catalogue: Catalogue) -> list[RecommendationReason]:
    recent = question.recent[-HISTORY:]
    offset = HISTORY - len(recent)  # histories are right-aligned
    reasons = [
        _because(recent[event - offset], float(weight), catalogue)
        for event, weight in zip(
            answer.reason_events[place].tolist(), answer.reason_weights[place].tolist(), strict=True
        )
        if event >= offset
    ]
    parts = answer.reason_parts[place]
    strongest = int(parts.argmax())
    if parts[strongest] > 0 or not reasons:
        kind = PARTS[strongest] if parts[strongest] > 0 else "popular"
        reasons.append(RecommendationReason(kind, _OF_ITSELF[kind], max(0.0, float(parts[strongest]))))
    return reasons


def _because(event: RecentEvent, weight: float, catalogue: Catalogue) -> RecommendationReason:
    did = _PAST.get(event.action, "looked at")
    text = f"because you {did} {catalogue.title(event.item_id)}"
    return RecommendationReason(ACTIONS[event.action], text, weight, event.item_id)


RECOMMEND = Scenario("recommend", Topic.RECOMMENDATIONS, False, _wants, _ask, _answer)
