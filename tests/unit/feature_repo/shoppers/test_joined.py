"""Features joined with the catalogue when a row is read."""

import pytest

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.items.catalogue import CatalogueItem
from feature_repo.shoppers.joined import (
    HALF_LIFE_MS,
    brand_affinity,
    category_affinity,
    join,
    known_prices,
    price_level,
)
from feature_repo.shoppers.recent import Recent, RecentEvent
from feature_repo.shoppers.shopper import ShopperState

CATALOGUE = {
    "lamp": CatalogueItem(categories=["light"], brand="Lux", price_cents=2_000),
    "desk": CatalogueItem(categories=["home", "work"], brand="", price_cents=10_000),
}


def did(action: str, item_id: str, at: int = HALF_LIFE_MS) -> RecentEvent:
    return RecentEvent(at, ACTION_CODE[action], item_id, 1, -1)


def test_affinity_is_a_share_of_what_was_done():
    assert category_affinity(Recent.of([did("view", "lamp")]), CATALOGUE) == {"light": 1.0}


def test_an_item_in_two_categories_divides_its_weight():
    shares = category_affinity(Recent.of([did("view", "lamp"), did("view", "desk")]), CATALOGUE)
    assert shares == pytest.approx({"light": 0.5, "home": 0.25, "work": 0.25})


def test_a_purchase_says_more_than_a_view():
    shares = category_affinity(Recent.of([did("view", "desk"), did("purchase", "lamp")]), CATALOGUE)
    assert next(iter(shares)) == "light"
    assert shares["light"] == pytest.approx(5 / 6)


def test_an_event_half_a_life_old_counts_half():
    shares = category_affinity(Recent.of([did("view", "desk", 0), did("view", "lamp", HALF_LIFE_MS)]), CATALOGUE)
    assert shares["light"] == pytest.approx(2 / 3)


def test_what_the_catalogue_lacks_says_nothing():
    assert category_affinity(Recent.of([did("view", "unknown")]), CATALOGUE) == {}
    assert category_affinity(Recent(), CATALOGUE) == {}


def test_giving_something_back_is_no_affinity():
    assert category_affinity(Recent.of([did("return", "lamp"), did("remove_from_cart", "desk")]), CATALOGUE) == {}


def test_brands_are_ranked_like_categories():
    assert brand_affinity(Recent.of([did("view", "lamp"), did("view", "desk")]), CATALOGUE) == {"Lux": 1.0}


def test_the_price_level_is_a_place_among_the_catalogues_prices():
    shopper = ShopperState(price_sum=6_000, price_count=2)
    assert price_level(shopper, [1_000, 2_000, 3_000, 4_000]) == 0.75


def test_without_prices_there_is_no_price_level():
    assert price_level(ShopperState(), [1]) is None
    assert price_level(ShopperState(price_sum=1, price_count=1), []) is None


def test_withdrawn_items_have_no_say_in_prices():
    items = [*CATALOGUE.values(), CatalogueItem(price_cents=1, withdrawn=True), CatalogueItem()]
    assert known_prices(items) == [2_000, 10_000]


def test_joining_gives_all_three():
    state = ShopperState(recent=Recent.of([did("view", "lamp")]), price_sum=2_000, price_count=1)
    assert join(state, CATALOGUE, [2_000, 10_000]) == ({"light": 1.0}, {"Lux": 1.0}, 0.5)
