"""What the shop sets for an item: boosts travel as blocks of the context, and go with their item."""

import numpy as np
import pytest

from feature_repo.basics.identity import item_hash
from headrace.messages.items import Item
from streams.serving.catalogue.catalogue import Catalogue
from streams.serving.catalogue.context import BOOST_POINT, ShopContext
from streams.serving.catalogue.context_blocks import named


class NewItems:
    supports_rules = True

    def blocks(self):
        return []


class Trends:
    items = np.array([item_hash("trend")])
    boost = np.ones(1, np.float32)


def content(context: ShopContext):
    blocks = context.blocks()
    return named(blocks, {block.name for block in blocks})


def boosts(context: ShopContext) -> dict[int, float]:
    shop = content(context)
    return dict(zip(shop.boost_item.tolist(), shop.boost.tolist(), strict=True))


def test_a_boost_is_added_to_the_score_beside_what_trends():
    catalogue = Catalogue()
    context = ShopContext(catalogue, NewItems(), Trends())
    for n in range(300):
        catalogue.put(Item(item_id=str(n), title="T", boost=n / 30))
    found = boosts(context)
    assert found.pop(item_hash("trend")) == 1
    assert found == {item_hash(str(n)): pytest.approx(BOOST_POINT * n / 30, rel=1e-6) for n in range(1, 300)}
    catalogue.withdraw("299")
    catalogue.put(Item(item_id="298", title="T"))
    catalogue.put(Item(item_id="1", title="T", boost=5))
    found = boosts(context)
    assert not {item_hash("299"), item_hash("298")} & found.keys()
    assert found[item_hash("1")] == pytest.approx(5 * BOOST_POINT)


def test_categories_travel_where_lists_are_held_to_them_alone():
    catalogue, new_items = Catalogue(), NewItems()
    catalogue.put(Item(item_id="pan", title="Pan", categories=["Home", "Kitchen", "Home"]))
    catalogue.put(Item(item_id="ink", title="Ink"))
    context = ShopContext(catalogue, new_items, Trends(), categories=True)
    shop = content(context)
    assert shop.category_item.tolist() == [item_hash("pan")] * 2
    assert shop.category.tolist() == [item_hash("Home"), item_hash("Kitchen")]
    catalogue.put(Item(item_id="pan", title="Pan", categories=["Garden"]))
    assert content(context).category.tolist() == [item_hash("Garden")]
    new_items.supports_rules = False
    assert not content(context).category.size
    assert not content(ShopContext(catalogue, NewItems(), Trends())).category.size
