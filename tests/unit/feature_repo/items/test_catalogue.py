"""The catalogue's row and the text that stands for an item."""

from feature_repo.items.catalogue import CatalogueItem, from_item, item_text, pack, unpack, withdrawn
from headrace.messages.items import Item


def test_a_row_comes_back_from_its_bytes():
    item = from_item(Item(item_id="a", title="Lamp", brand="Lux", categories=["light"], price=19.99, timestamp=7))
    item.text_vector, item.encoder_version = b"\x00" * 8, "3"
    assert unpack(pack(item)) == item


def test_no_bytes_are_an_item_the_catalogue_lacks():
    assert unpack(b"") == CatalogueItem()


def test_prices_are_whole_hundredths():
    assert from_item(Item(item_id="a", title="t", price=19.99)).price_cents == 1999
    assert from_item(Item(item_id="a", title="t", price=0)).price_cents == 0
    assert from_item(Item(item_id="a", title="t")).price_cents == -1


def test_a_withdrawn_item_is_unavailable_and_keeps_nothing_of_before():
    assert withdrawn() == CatalogueItem(withdrawn=True, available=False)


def test_the_text_names_title_brand_categories_and_description():
    assert item_text("Lamp", "A bright one", "Lux", ["light", "home"]) == "Lamp. Lux. light, home. A bright one"


def test_the_text_of_an_item_with_only_a_title_is_its_title():
    assert item_text(" Lamp ", None, "", []) == "Lamp"
