"""What is answered when the model is not there, and how an answer says so."""

import numpy as np

from feature_repo.basics.identity import NO_ITEM, item_hash, packed_hash
from feature_repo.shoppers.recent import Recent, RecentEvent
from headrace.messages.events import Event, EventType
from headrace.messages.items import Item
from headrace.messages.outputs import ModelRef
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.shopper_scorer.fallback import best_sellers, fallback_reason, popularity_result
from streams.serving.shopper_scorer.queries import ShopperQuery

VIEW = Event(event_id="e", type=EventType.VIEW, user_id="u", timestamp=1, item_id="a")
RECENT = Recent.of([RecentEvent(1, 1, "a", 1, -1)])


def query(**changes: object) -> ShopperQuery:
    plain = ShopperQuery(VIEW, RECENT, b"", True, (), "web")
    return plain._replace(**changes)


def catalogue(*ids: str) -> Catalogue:
    made = Catalogue()
    for item_id in ids:
        made.put(Item(item_id=item_id, title=f"Title {item_id}"))
    return made


def test_a_shopper_without_history_is_unknown():
    assert fallback_reason(query(recent=Recent()), catalogue("a")) == "unknown_user"


def test_an_item_outside_the_catalogue_is_unknown():
    assert fallback_reason(query(), catalogue("b")) == "unknown_item"
    assert fallback_reason(query(candidates=("a", "z")), catalogue("a")) == "unknown_item"


def test_a_known_shopper_and_known_items_need_no_fallback():
    assert fallback_reason(query(), catalogue("a")) is None


def test_the_stand_in_skips_what_is_excluded_or_unavailable():
    shop = catalogue("a", "b", "c", "d")
    shop.withdraw("b")
    ranking = best_sellers([item_hash("b")], np.array([item_hash("a"), NO_ITEM]), shop)
    excluded = packed_hash("a")
    answer = popularity_result(query(exclude=excluded), ranking, shop, ModelRef("m", ""))
    listed = [key for key in answer.ranked.items if key != NO_ITEM]
    assert sorted(listed) == sorted([item_hash("c"), item_hash("d")])
    assert answer.fallback == "model_unavailable"


def test_the_stand_in_ranks_what_trends_first_then_what_was_popular():
    shop = catalogue("a", "b", "c")
    ranking = best_sellers([item_hash("c")], np.array([item_hash("b")]), shop)
    assert ranking == [item_hash("c"), item_hash("b"), item_hash("a")]


def test_the_stand_in_ranks_nothing_that_the_catalogue_lacks():
    ranking = best_sellers([item_hash("gone")], np.array([item_hash("unheard of")]), catalogue("a"))
    assert ranking == [item_hash("a")]
