"""Recommendations: triggers, exclusions, reasons."""

from types import SimpleNamespace
from typing import cast

import pytest

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.shoppers.exclusion import MOMENT_MS
from feature_repo.shoppers.history import hashes
from feature_repo.shoppers.shopper import ShopperState, fold
from headrace.arrays import HISTORY, REASONS, TOP_K
from headrace.messages.events import Event, EventType
from headrace.messages.items import Item
from headrace.messages.outputs import ModelRef, Recommendation
from headrace.scenarios import QueryResult, Row
from headrace.settings.lists import ListRule, PerTrigger
from headrace.settings.model import Exclude, Settings, load_settings
from streams.scenarios.recommend.scenario import RECOMMEND
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.shopper_scorer.queries import RankedItems, ShopperQuery, ShopperResult


def event(kind: EventType, item_id: str | None, at: int) -> Event:
    query = "mug" if kind is EventType.SEARCH else None
    return Event(event_id=f"{kind}-{at}", type=kind, user_id="u", timestamp=at, item_id=item_id, query=query)


def shopper(*events: Event) -> ShopperState:
    state = ShopperState()
    for one in events:
        fold(state, one)
    return state


LONG_AGO, NOW = 1, 10 * MOMENT_MS


def row_of(state: ShopperState) -> Row:
    return cast(Row, SimpleNamespace(user_id="u", shopper=state, views={}))


def ask(cause: Event, state: ShopperState, exclude: Exclude = Exclude.CURRENT) -> ShopperQuery:
    return RECOMMEND.query(cause, row_of(state), Settings(exclude=exclude))


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [(EventType.VIEW, True), (EventType.SEARCH, True), (EventType.CLICK, False), (EventType.IMPRESSION, False)],
)
def test_trigger_events_are_answered(kind: EventType, wanted: bool):
    assert RECOMMEND.answers(event(kind, "a", 1), Settings()) is wanted


def test_what_is_excluded_follows_the_setting():
    bought, viewed, now = (
        event(EventType.PURCHASE, "bought", LONG_AGO),
        event(EventType.VIEW, "viewed", LONG_AGO + 1),
        event(EventType.VIEW, "now", NOW),
    )
    state = shopper(bought, viewed, now)
    excluded = {rule: set(hashes(ask(now, state, rule).exclude).tolist()) for rule in Exclude}
    assert excluded == {
        Exclude.AUTO: {item_hash("now")},
        Exclude.NONE: set(),
        Exclude.CURRENT: {item_hash("now")},
        Exclude.PURCHASED: {item_hash("now"), item_hash("bought")},
        Exclude.SEEN: {item_hash(i) for i in ("now", "bought", "viewed")},
    }


def test_by_itself_what_was_bought_is_left_out_unless_it_is_bought_again():
    state = shopper(event(EventType.PURCHASE, "bought", 1), event(EventType.RETURN, "sent back", 2))
    now = event(EventType.VIEW, "now", NOW)
    bought = {rule: set(hashes(ask(now, state, rule).bought).tolist()) for rule in Exclude}
    others = {rule: set[int]() for rule in Exclude}
    assert bought == {**others, Exclude.AUTO: {item_hash("bought"), item_hash("sent back")}}


def test_a_search_does_not_list_what_was_looked_at_a_moment_ago():
    state = shopper(event(EventType.VIEW, "before", LONG_AGO), event(EventType.VIEW, "just", NOW - 1_000))
    search = event(EventType.SEARCH, None, NOW)
    assert hashes(ask(search, state, Exclude.AUTO).exclude).tolist() == [item_hash("just")]
    assert ask(search, state, Exclude.CURRENT).exclude == b""


def test_a_question_carries_the_rule_of_its_trigger():
    settings = load_settings().model_copy(update={"list": PerTrigger(20, {EventType.SEARCH: 50})})
    for kind, length in ((EventType.SEARCH, 50), (EventType.VIEW, 20)):
        item_id = None if kind is EventType.SEARCH else "a"
        query = RECOMMEND.query(event(kind, item_id, 1), row_of(shopper()), settings)
        assert query.rule == ListRule(length)


def answered(
    items: list[str], reason_events: list[list[int]], ctr: float = 0.25, parts: tuple[float, float] = (-1.0, -1.0)
) -> ShopperResult:
    empty = TOP_K - len(items)
    best = int(parts[1] > parts[0])
    listed = RankedItems(
        items=[item_hash(i) for i in items] + [NO_ITEM] * empty,
        scores=[1 - place / TOP_K for place in range(TOP_K)],
        ctrs=[ctr] * TOP_K,
        reason_events=list(zip(*reason_events, *[[-1] * REASONS] * empty, strict=True)),
        reason_weights=[[0.5] * TOP_K] * REASONS,
        parts=[best] * TOP_K,
        part_weights=[parts[best]] * TOP_K,
    )
    return ShopperResult(listed, [], ModelRef("headrace", "3"), None)


def recommend(
    answer: ShopperResult,
    *events: Event,
    reasons: str = "en",
    items: tuple[str, ...] = ("mug", "bowl"),
    **of_bowl: object,
) -> Recommendation:
    shop = Catalogue()
    for item_id in items:
        own = of_bowl if item_id == "bowl" else {"categories": ["Kitchen"]}
        shop.put(Item(item_id=item_id, title=item_id.title(), **own))
    shop.withdraw("gone")
    cause = event(EventType.ADD_TO_CART, "mug", 9)
    state = shopper(event(EventType.VIEW, "bowl", 1), *events, cause)
    settings = Settings(reasons=reasons)
    message = RECOMMEND.output(QueryResult(cause, "recommend/x", ask(cause, state), answer, shop, settings))
    assert isinstance(message, Recommendation)
    return message


def texts(message: Recommendation) -> list[str]:
    return [reason.text for reason in message.items[0].reasons]


def test_reasons_name_the_events_that_moved_the_score():
    message = recommend(answered(["teapot"], [[HISTORY - 1, HISTORY - 2]]), items=("mug", "bowl", "teapot"))
    assert [(r.kind, r.item_id, r.text) for r in message.items[0].reasons] == [
        ("add_to_cart", "mug", "because you added Mug to your cart"),
        ("view", "bowl", "because you viewed Bowl"),
    ]
    assert ACTION_CODE["add_to_cart"] == 3


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "because you added Mug to your cart"),
        ("de", "weil Sie Mug in den Warenkorb gelegt haben"),
        ("zh", "因为您把Mug加入了购物车"),
    ],
)
def test_reasons_speak_the_language_that_is_set(language: str, text: str):
    assert texts(recommend(answered(["bowl"], [[HISTORY - 1, -1]]), reasons=language)) == [text]


def test_an_item_that_was_had_before_says_so_itself():
    message = recommend(answered(["bowl"], [[HISTORY - 2, -1]]))
    assert [(r.kind, r.item_id, r.text) for r in message.items[0].reasons] == [("view", "bowl", "you viewed it before")]


@pytest.mark.parametrize("unknown", ["nowhere", "gone"])
def test_an_item_that_the_catalogue_never_told_of_is_not_named(unknown: str):
    message = recommend(answered(["bowl"], [[HISTORY - 2, HISTORY - 1]]), event(EventType.VIEW, unknown, 5))
    assert texts(message) == ["because you added Mug to your cart"]


@pytest.mark.parametrize("kind", [EventType.REMOVE_FROM_CART, EventType.RETURN])
def test_what_speaks_against_an_item_is_no_reason_whatever_the_model_says(kind: EventType):
    message = recommend(answered(["bowl"], [[HISTORY - 2, HISTORY - 1]]), event(kind, "bowl", 5))
    assert texts(message) == ["because you added Mug to your cart"]


def test_a_text_is_not_said_twice():
    message = recommend(answered(["teapot"], [[HISTORY - 2, HISTORY - 3]]), event(EventType.VIEW, "BOWL", 5), items=(
        "mug", "bowl", "BOWL", "teapot"))  # fmt: skip
    assert texts(message) == ["because you viewed Bowl"]


def test_an_item_that_nothing_speaks_for_fills_the_list():
    message = recommend(answered(["bowl"], [[-1, -1]]))
    assert [(r.kind, r.weight) for r in message.items[0].reasons] == [("range", 0.0)]


@pytest.mark.parametrize(("parts", "kind"), [((0.4, 0.1), "description"), ((0.1, 0.4), "popular")])
def test_what_lies_in_the_item_is_told_by_its_weight(parts: tuple[float, float], kind: str):
    [item] = recommend(answered(["bowl"], [[HISTORY - 1, -1]], parts=parts)).items
    assert [(r.kind, round(r.weight, 3)) for r in item.reasons] == [("add_to_cart", 0.5), (kind, 0.4)]
    heavier = (parts[0] + 0.2, parts[1] + 0.2)
    [item] = recommend(answered(["bowl"], [[HISTORY - 1, -1]], parts=heavier)).items
    assert [(r.kind, round(r.weight, 3)) for r in item.reasons] == [(kind, 0.6), ("add_to_cart", 0.5)]


def test_what_the_shop_has_set_is_said_with_its_weight():
    message = recommend(answered(["bowl"], [[HISTORY - 1, -1]]), boost=0.5, pinned_for=["Garden", "Kitchen"])
    assert [(r.kind, r.text, r.weight) for r in message.items[0].reasons[:1]] == [
        ("add_to_cart", "because you added Mug to your cart", 0.5)
    ]
    assert [(r.kind, r.text, r.weight) for r in message.items[0].reasons[1:]] == [
        ("boosted", "recommended by our shop", 0.346574),
        ("pinned", "our pick in this category", 0.0),
    ]


def test_a_strong_boost_is_the_first_reason():
    message = recommend(answered(["bowl"], [[HISTORY - 1, -1]]), boost=10)
    assert [r.kind for r in message.items[0].reasons] == ["boosted", "add_to_cart"]


def test_what_is_pinned_for_another_category_says_nothing_of_it():
    message = recommend(answered(["bowl"], [[HISTORY - 1, -1]]), pinned_for=["Garden"])
    assert [r.kind for r in message.items[0].reasons] == ["add_to_cart"]


def test_places_left_empty_are_left_out():
    assert [i.item_id for i in recommend(answered(["bowl"], [[-1, -1]])).items] == ["bowl"]


def test_without_a_click_head_ctr_is_null():
    assert recommend(answered(["bowl"], [[-1, -1]], ctr=float("nan"))).items[0].ctr is None
