"""Recommendations: each trigger event is answered with the best items for the shopper now, and why."""

from collections.abc import Iterator, Sequence
from math import isnan

from feature_repo.actions import ACTIONS
from feature_repo.identity import NO_ITEM, packed_hash
from feature_repo.recent import Recent
from feature_repo.shopper import ShopperState, seen_items
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
        recent=state.recent,
        exclude=_exclude(cause, state, settings.exclude),
        recommend=True,
        candidates=(),
        channel=cause.channel,
    )


def _exclude(cause: Event, state: ShopperState, rule: Exclude) -> bytes:
    if rule is Exclude.NONE:
        return b""
    current = packed_hash(cause.item_id) if cause.item_id else b""
    if rule is Exclude.PURCHASED:
        return current + state.bought
    return current + seen_items(state) if rule is Exclude.SEEN else current


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
    because = _Because(question.recent, catalogue)
    items, scores, ctrs, reason_events, reason_weights, parts, part_weights = answer.listed
    reasons_of = zip(zip(*reason_events, strict=True), zip(*reason_weights, strict=True), strict=True)
    columns = zip(items, scores, ctrs, reasons_of, parts, part_weights, strict=True)
    for key, score, ctr, (events, weights), part, part_weight in columns:
        entry = catalogue.get(key)
        if key == NO_ITEM or entry is None:  # a version may know items that the catalogue never told of
            continue
        reasons = because.of(events, weights)
        if part_weight > 0:
            reasons.append(RecommendationReason(PARTS[part], _OF_ITSELF[PARTS[part]], part_weight))
        yield RecommendedItem(entry.item_id, score, None if isnan(ctr) else ctr, reasons or [_POPULAR])


class _Because:
    """Reasons that lie in what a shopper did; the same few events are the reason of many items.

    Args:
        recent: the history that the model saw, oldest first.
    """

    def __init__(self, recent: Recent, catalogue: Catalogue) -> None:
        self._recent = recent
        self._offset = HISTORY - len(recent)  # histories are right-aligned
        self._catalogue = catalogue
        self._told: dict[int, tuple[str, str, str]] = {}

    def of(self, events: Sequence[int], weights: Sequence[float]) -> list[RecommendationReason]:
        """The reasons of one item."""
        reasons: list[RecommendationReason] = []
        for event, weight in zip(events, weights, strict=True):
            if event >= self._offset:
                kind, text, item_id = self._told.get(event) or self._tell(event)
                reasons.append(RecommendationReason(kind, text, weight, item_id))
        return reasons

    def _tell(self, place: int) -> tuple[str, str, str]:
        action, item_id = self._recent.actions[place - self._offset], self._recent.items[place - self._offset]
        text = f"because you {_PAST.get(action, 'looked at')} {self._catalogue.title(item_id)}"
        self._told[place] = ACTIONS[action], text, item_id
        return self._told[place]


_POPULAR = RecommendationReason("popular", _OF_ITSELF["popular"], 0.0)


RECOMMEND = Scenario("recommend", Topic.RECOMMENDATIONS, False, _wants, _ask, _answer)
