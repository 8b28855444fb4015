"""Typed columns agree with what Feast is told about them."""

import math

import pytest

from feature_repo.items import catalogue, item
from feature_repo.items import cold_windows as item_windows
from feature_repo.registry.unpacked import (
    ACTIVITY,
    CATALOGUE,
    SHOPPER,
    activity_columns,
    catalogue_columns,
    shopper_columns,
)
from feature_repo.shoppers import shopper
from feature_repo.store.dump import catalogue_features
from headrace.messages.items import Item


@pytest.mark.parametrize(
    ("columns", "views", "declared"),
    [(shopper_columns, 1, SHOPPER), (catalogue_columns, 1, CATALOGUE), (activity_columns, 2, ACTIVITY)],
)
def test_every_declared_column_is_there_and_no_other(columns, views, declared):
    assert columns(*[[None]] * views).keys() == declared.keys()


def test_a_shopper_of_whom_nothing_is_known_is_a_newcomer():
    columns = shopper_columns([None])
    assert columns["recent_items"] == [[]]
    assert columns["purchase_count"] == [0]
    assert columns["mean_price"] == [0.0]


def test_columns_keep_the_order_of_rows():
    rows = [shopper.pack(shopper.ShopperState(last_query=q)) for q in ("a", "b")]
    assert shopper_columns([rows[0], None, rows[1]])["last_query"] == ["a", "", "b"]


def test_prices_are_in_currency_units():
    assert catalogue_columns([catalogue.pack(catalogue.CatalogueItem(price_cents=1_999))])["price"] == [19.99]
    fine = catalogue.from_item(Item(item_id="a", title="Bolt", price=0.0042))
    assert catalogue_columns([catalogue.pack(fine)])["price"] == [0.0042]
    assert catalogue_features(catalogue.pack(fine))["price_cents"] == 0.42
    assert math.isnan(catalogue_columns([None])["price"][0])


def test_an_items_windows_come_in_order_of_time():
    state = item.ItemActivity(windows={7: item.WindowCounts(views=1), 3: item.WindowCounts(views=2)})
    columns = activity_columns([item.pack(state)], [None])
    assert columns["window_numbers"] == [[3, 7]]
    assert columns["window_views"] == [[2, 1]]


def test_windows_that_were_set_aside_are_columns_too():
    state = item.ItemActivity(windows={n: item.WindowCounts(views=n) for n in range(1, 21)})
    cold_windows = item_windows.split_cold(state, b"")
    packed = item.pack(state)
    assert activity_columns([packed], [cold_windows])["window_views"] == [list(range(1, 21))]
    assert activity_columns([packed], [None])["window_views"] == [[18, 19, 20]]
