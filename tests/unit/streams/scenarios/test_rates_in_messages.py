"""`ctr` in messages: a probability, or null in lists where the version has no click head or is not asked."""

import json
from math import nan
from types import SimpleNamespace

import msgspec
import pytest

from feature_repo.basics.identity import NO_ITEM, item_hash
from feature_repo.shoppers.shopper import ShopperState
from headrace.arrays import REASONS
from headrace.messages.events import Event, EventType
from headrace.messages.items import Item
from headrace.messages.outputs import ModelRef
from headrace.messages.requests import ScoreRequest
from headrace.scenarios import QueryResult
from headrace.settings.model import Settings
from streams.scenarios.ctr import CTR
from streams.scenarios.recommend.scenario import RECOMMEND
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.shopper_scorer.fallback import BASE_CTR, popularity_result
from streams.serving.shopper_scorer.queries import NO_ITEMS_RANKED, RankedItems, ShopperResult
from streams.serving.shopper_scorer.scorer import _with_base_rates  # pyright: ignore[reportPrivateUsage]

ROW = SimpleNamespace(user_id="u", shopper=ShopperState(), views={})
MODEL = ModelRef("headrace", "1")
VIEW = Event(event_id="e", type=EventType.VIEW, user_id="u", timestamp=1, item_id="mug")


def shop() -> Catalogue:
    made = Catalogue()
    for item_id in ("mug", "bowl"):
        made.put(Item(item_id=item_id, title=item_id.title()))
    return made


def listed(ctr: float) -> RankedItems:
    items = [item_hash("bowl"), NO_ITEM]
    none, zero = [[-1, -1]] * REASONS, [[0.0, 0.0]] * REASONS
    return RankedItems(items, [1.0, 0.0], [ctr, nan], none, zero, [0, 0], [0.0, 0.0])


def rates(scenario, cause, answer: ShopperResult) -> list[object]:
    query = scenario.query(cause, ROW, Settings())
    made = json.loads(msgspec.json.encode(scenario.output(QueryResult(cause, "id", query, answer, shop(), Settings()))))
    return [entry["ctr"] for entry in made["items"]]


@pytest.mark.parametrize(("rate", "ctr"), [(0.25, 0.25), (0.0, 0.0), (1.0, 1.0), (nan, None)])
def test_a_list_has_the_rate_or_null(rate: float, ctr: float | None):
    assert rates(RECOMMEND, VIEW, ShopperResult(listed(rate), [], MODEL, None)) == [ctr]


def test_a_list_that_stands_in_for_the_models_has_no_rates():
    query = RECOMMEND.query(VIEW, ROW, Settings())
    assert rates(RECOMMEND, VIEW, popularity_result(query, list(shop()), shop(), MODEL)) == [None]


@pytest.mark.parametrize(
    "cause",
    [
        Event(event_id="e", type=EventType.IMPRESSION, user_id="u", timestamp=1, items=["mug", "no such item"]),
        ScoreRequest(request_id="r", user_id="nobody", timestamp=1, items=["mug", "no such item"]),
    ],
)
def test_scores_are_numbers_without_a_click_head_and_without_the_model(cause: Event | ScoreRequest):
    query = CTR.query(cause, ROW, Settings())
    no_head = _with_base_rates(ShopperResult(NO_ITEMS_RANKED, [nan, nan], MODEL, None))
    assert rates(CTR, cause, no_head) == [BASE_CTR, BASE_CTR]
    assert no_head.fallback == "no_click_head"
    assert rates(CTR, cause, popularity_result(query, [], shop(), MODEL)) == [BASE_CTR, BASE_CTR]
