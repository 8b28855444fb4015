"""Recommendations: each trigger event is answered with the best items for the shopper now, and why."""

from collections.abc import Iterator
from math import isnan

from feature_repo.actions import ACTIONS
from feature_repo.identity import packed_hash
from feature_repo.recent import Recent
from feature_repo.shopper import ShopperState, seen_items
from streams.engine.catalogue import Catalogue
from streams.engine.questions import Answer, Caused, Listed, Question, Scenario
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
_ITSELF = [(part, _OF_ITSELF[part]) for part in PARTS]
_POPULAR = RecommendationReason("popular", _OF_ITSELF["popular"], 0.0)


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
        items=list(_items(question, answer.listed, catalogue)),
    )


def _items(question: Question, listed: Listed, catalogue: Catalogue) -> Iterator[RecommendedItem]:
    because = _Because(question.recent, catalogue)
    told, tell, begin = because.told, because.tell, because.begin
    (events, more_events), (weights, more_weights) = listed.reason_events, listed.reason_weights
    columns = zip(
        catalogue.entries(listed.items),
        listed.scores,
        listed.ctrs,
        zip(events, weights, more_events, more_weights, strict=True),
        zip(listed.parts, listed.part_weights, strict=True),
        strict=True,
    )
    # Each reason has lines of its own, and nothing is called for one: calls took a fifth of the time of saying a load's
    # answers, which is half of the shoppers' road.
    for entry, score, ctr, (event, weight, other, other_weight), (part, part_weight) in columns:
        if entry is None:  # a version may know items that the catalogue never told of
            continue
        reasons: list[RecommendationReason] = []
        if event >= begin:
            kind, text, item_id = told.get(event) or tell(event)
            reasons.append(RecommendationReason(kind, text, weight, item_id))
        if other >= begin:
            kind, text, item_id = told.get(other) or tell(other)
            reasons.append(RecommendationReason(kind, text, other_weight, item_id))
        if part_weight > 0:
            reasons.append(RecommendationReason(*_ITSELF[part], part_weight))
        yield RecommendedItem(entry.item_id, score, None if isnan(ctr) else ctr, reasons or [_POPULAR])


class _Because:
    """Reasons that lie in what a shopper did; the same few events are the reason of many items.

    Args:
        recent: the history that the model saw, oldest first.

    Attributes:
        begin: the first place of the model's history that an event has: histories are right-aligned.
        told: kind, text and item of the reasons told so far, by place.
    """

    def __init__(self, recent: Recent, catalogue: Catalogue) -> None:
        self._recent = recent
        self._catalogue = catalogue
        self.begin = HISTORY - len(recent)
        self.told: dict[int, tuple[str, str, str]] = {}

    def tell(self, place: int) -> tuple[str, str, str]:
        """The reason that lies in the event at a place."""
        action, item_id = self._recent.actions[place - self.begin], self._recent.items[place - self.begin]
        text = f"because you {_PAST.get(action, 'looked at')} {self._catalogue.title(item_id)}"
        self.told[place] = ACTIONS[action], text, item_id
        return self.told[place]


RECOMMEND = Scenario("recommend", Topic.RECOMMENDATIONS, False, _wants, _ask, _answer)
