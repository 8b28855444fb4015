"""A program reads the rows of the version before, and keeps its hands off those of a later one."""

import msgspec
import pytest

from feature_repo.basics import schema
from feature_repo.items import catalogue, item, window_index
from feature_repo.shoppers import shopper, watermark
from feature_repo.shoppers.recent import Recent, RecentEvent
from feature_repo.shoppers.shopper import ShopperState
from headrace.errors import NewerRows

ROWS = {"shopper": shopper, "item": item, "catalogue": catalogue, "source": watermark, "index": window_index}


class Store:
    """Remembers a number, as the online store does."""

    def __init__(self, version):
        self.version = version

    async def raise_schema(self, version):
        self.version = max(self.version, version)
        return self.version


def as_list(packed):
    return msgspec.msgpack.decode(packed, strict=False)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_of_the_version_before_is_read_with_defaults_for_what_was_added(row):
    empty = row.unpack(b"")
    before = as_list(row.pack(empty))[:-1]
    assert row.unpack(msgspec.msgpack.encode(before)) == empty


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_row_with_more_fields_than_are_known_is_not_read(row):
    later = [*as_list(row.pack(row.unpack(b""))), "something new"]
    with pytest.raises(NewerRows, match="upgrade this program"):
        row.unpack(msgspec.msgpack.encode(later))


def test_neither_is_one_in_which_a_part_has_more_fields():
    row = as_list(shopper.pack(ShopperState(recent=Recent.of([RecentEvent(1, 3, "tea", 1, -1)]))))
    recent = ShopperState.__struct_fields__.index("recent")
    row[recent].append("something new")
    with pytest.raises(NewerRows):
        shopper.unpack(msgspec.msgpack.encode(row))


def test_a_row_with_something_where_nothing_is_kept_is_not_read():
    row = as_list(shopper.pack(ShopperState()))
    row[0] = [[1, 2, 3, "tea", 1, 450, 3]]
    with pytest.raises(NewerRows):
        shopper.unpack(msgspec.msgpack.encode(row))


async def test_a_store_of_an_earlier_version_is_taken_over():
    store = Store(0)
    await schema.verify(store)
    assert store.version == schema.SCHEMA


async def test_a_store_of_a_later_version_is_left_alone():
    with pytest.raises(NewerRows, match=f"version {schema.SCHEMA + 1}"):
        await schema.verify(Store(schema.SCHEMA + 1))
