"""How questions want their lists, as tensors; and the same rules where popularity stands in."""

import numpy as np
import pytest

from feature_repo.basics.identity import NO_ITEM, item_hash, packed_hash
from feature_repo.shoppers.recent import Recent, RecentEvent
from headrace.messages.events import Event, EventType
from headrace.messages.items import Item
from headrace.messages.outputs import ModelRef
from headrace.settings.lists import ListRule
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.shopper_scorer.fallback import best_sellers, popularity_result
from streams.serving.shopper_scorer.list_rules import rule_tensors
from streams.serving.shopper_scorer.queries import ShopperQuery

RECENT = Recent.of([RecentEvent(1, 1, "pan", 1, -1)])


def query(item_id: str | None = "pan", **rule: object) -> ShopperQuery:
    kind = EventType.VIEW if item_id else EventType.SEARCH
    cause = Event(event_id="e", type=kind, user_id="u", timestamp=1, item_id=item_id, query="pan")
    return ShopperQuery(cause, RECENT, b"", True, (), "web", rule=ListRule(**rule))


def shop() -> Catalogue:
    """Ten of each of two categories; the pan is of the kitchen, and pots for those who look at it."""
    made = Catalogue()
    for n in range(10):
        made.put(Item(item_id=f"book{n}", title="Book", categories=["Media", "Books"]))
        made.put(Item(item_id=f"pot{n}", title="Pot", categories=["Home", "Kitchen"]))
    made.put(Item(item_id="pan", title="Pan", categories=["Home", "Kitchen"]))
    return made


def pin(made: Catalogue, *names: str, **fields: object) -> None:
    for name in names:
        made.put(Item(item_id=name, title="Set by the shop", categories=["Media", "Books"], **fields))


def test_lists_as_a_version_makes_them_by_itself_need_no_tensor():
    assert rule_tensors([query(), query(None)], shop()) == {}


def test_a_request_is_for_its_longest_list():
    tensors = rule_tensors([query(length=5), query(length=40), query(length=9)], shop())
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {"list_length": [40]}


def test_those_who_want_no_list_have_no_say_in_its_length():
    tensors = rule_tensors([query(length=5), query(length=40)._replace(recommend=False)], shop())
    assert tensors["list_length"].tolist() == [5]


def test_each_question_has_a_diversity_of_its_own():
    tensors = rule_tensors([query(diversity=0.5), query()], shop())
    assert tensors["diversity"][0] == 0.5
    assert np.isnan(tensors["diversity"][1])


def test_what_is_pinned_for_a_category_is_pinned_where_an_item_of_it_is_looked_at():
    made = shop()
    pin(made, "book1", "book2", pinned_for=["Kitchen", "Home"])
    pin(made, "book3", pinned_for=["Garden"])
    pinned = rule_tensors([query(), query("book5"), query(None)], made)["pinned"]
    assert sorted(pinned[0].tolist()) == sorted([item_hash("book1"), item_hash("book2")])
    assert not pinned[1:].any()
    made.withdraw("book1")
    pin(made, "book2", pinned_for=[])
    assert rule_tensors([query()], made) == {}


def test_a_search_that_is_held_to_a_category_gets_its_pins():
    made = shop()
    pin(made, "book1", pinned_for=["Kitchen"])
    tensors = rule_tensors([query(None, categories=("Kitchen",))], made)
    assert tensors["pinned"].tolist() == [[item_hash("book1")]]


def test_lists_are_held_to_named_categories_or_to_the_narrowest_of_the_event_s_item():
    query_ = [query(categories=("Books", "Garden")), query(categories=("same",)), query()]
    kept = rule_tensors(query_, shop())["kept_category"].tolist()
    assert kept == [
        [item_hash("Books"), item_hash("Garden")],
        [item_hash("Kitchen"), NO_ITEM],
        [NO_ITEM, NO_ITEM],
    ]
    assert rule_tensors([query(None, categories=("same",)), query("unheard of", categories=("same",))], shop()) == {}


def fallback(query_: ShopperQuery, made: Catalogue, repeats: "np.ndarray | None" = None) -> list[str]:
    ranking = best_sellers((), np.array([item_hash("book0")]), made)
    answer = popularity_result(query_, ranking, made, ModelRef("m", ""), repeats)
    assert len(answer.ranked.items) == len(answer.ranked.scores) == len(answer.ranked.parts) == query_.rule.length
    return [entry.item_id for key in answer.ranked.items if (entry := made.get(key))]


@pytest.mark.parametrize("length", [1, 20, 60])
def test_a_stand_in_is_as_long_as_asked(length: int):
    assert len(fallback(query(length=length), shop())) == min(length, 21)


def test_a_stand_in_begins_with_what_is_pinned_and_holds_to_categories():
    made = shop()
    pin(made, "book7", pinned_for=["Kitchen"])
    assert fallback(query(), made)[:2] == ["book7", "book0"]
    listed = fallback(query(categories=("same",)), made)
    assert len(listed) == 11
    assert all(name.startswith("p") for name in listed)


def test_a_stand_in_lists_nothing_that_is_excluded_though_it_is_pinned():
    made = shop()
    pin(made, "book7", pinned_for=["Kitchen"])
    assert "book7" not in fallback(query()._replace(exclude=packed_hash("book7")), made)


def test_a_stand_in_leaves_out_what_was_bought_unless_it_is_bought_again():
    query_ = query()._replace(bought=packed_hash("book1") + packed_hash("book2"))
    assert not {"book1", "book2"} & set(fallback(query_, shop()))
    listed = fallback(query_._replace(rule=ListRule(30)), shop(), np.array([item_hash("book2")]))
    assert "book1" not in listed
    assert "book2" in listed


def test_each_point_of_a_boost_doubles_the_weight_of_a_place():
    made = shop()
    plain = fallback(query(length=30), made)
    fifth = plain[4]
    made.put(Item(item_id=fifth, title="Boosted", categories=["Home", "Kitchen"], boost=2))
    assert fallback(query(length=30), made)[:3] == [plain[0], fifth, plain[1]]
    made.withdraw(fifth)
    assert fifth not in fallback(query(length=30), made)
    assert made.boosted == {}
