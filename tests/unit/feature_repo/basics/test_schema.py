"""A program reads the rows of the version before, and keeps its hands off those of a later one."""

import msgspec
import pytest

from feature_repo.basics import schema
from feature_repo.basics.identity import item_hash, packed_hash
from feature_repo.items import catalogue, item, window_index
from feature_repo.items.item import Episode, ItemActivity, WindowCounts
from feature_repo.shoppers import shopper, watermark
from feature_repo.shoppers.history import hashes
from feature_repo.shoppers.recent import Recent, RecentEvent, in_order
from feature_repo.shoppers.shopper import Session, ShopperState
from feature_repo.store.dump import shopper_features
from headrace.errors import NewerRows
from headrace.messages.events import Event, EventType

ROWS = {"shopper": shopper, "item": item, "catalogue": catalogue, "source": watermark, "index": window_index}

SHOPPER_1 = (
    "9c9197cd03e80701a374656102cd01c2039200019200cd03e896cd03e8cd03e801010001cd01c2010081a377656201c400c4083132333435"
    "36373891a27532a5677265656e"
)
SHOPPER_2 = (
    "9c9297cd03e80502a363757001ff0397cd03e80901a374656102cd01c203930001019300cd03e8cd03e896cd03e8cd03e802020001cd01c201"
    "0081a377656202c400c418c11d42ab87dc033cba6587c1bb84c490ac5870030e165aa990a0"
)
ITEM_1 = "9f92000205030101cd03848104950100020101810403040302940302c30103810498000000000000000081049205cd01c2"


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


def test_rows_that_version_1_wrote_are_read_as_they_were_meant():
    assert shopper.unpack(bytes.fromhex(SHOPPER_1)) == ShopperState(
        recent=Recent.of([RecentEvent(1000, 1, "tea", 2, 450, 3)]),
        counts=[0, 1],
        last=[0, 1000],
        session=Session(1000, 1000, 1, 1, 0, 1),
        price_sum=450,
        price_count=1,
        channels={"web": 1},
        seen=b"12345678",
        aliases=["u2"],
        last_query="green",
    )
    assert item.unpack(bytes.fromhex(ITEM_1)) == ItemActivity(
        counts=[0, 2],
        newest=5,
        units=3,
        returned=1,
        late=1,
        revenue=900,
        windows={4: WindowCounts(1, 0, 2, 1, 1)},
        sold={4: 3},
        first=4,
        evaluated=3,
        calm=2,
        episode=Episode(3, 2, True, 1),
        unusual=3,
        shards={4: [0] * 8},
        paid={4: [5, 450]},
    )


def test_a_shopper_that_version_2_wrote_has_its_events_and_says_no_item_twice():
    state = shopper.unpack(bytes.fromhex(SHOPPER_2))
    events = [RecentEvent(1000, 1, "tea", 2, 450, 3), RecentEvent(1000, 2, "cup", 1, -1, 3)]
    assert list(state.recent) == sorted(events, key=in_order)
    assert hashes(state.seen).tolist() == [item_hash("jar")]
    assert set(hashes(shopper.seen_items(state))) == {item_hash(item_id) for item_id in ("jar", "tea", "cup")}
    assert shopper.unpack(shopper.pack(state)) == state


def test_a_row_of_version_2_says_the_same_as_one_that_was_folded_anew():
    fresh = ShopperState()
    for n in range(70):
        view = Event(event_id=f"e{n}", type=EventType.VIEW, user_id="u", timestamp=n, item_id=f"i{n % 30}")
        shopper.fold(fresh, view)
    row = as_list(shopper.pack(fresh))[: ShopperState.__struct_fields__.index("recent")]
    row[0] = [[e.timestamp, 99 - n, e.action, e.item_id, e.quantity, e.price_cents] for n, e in enumerate(fresh.recent)]
    row[0] = [[*event, e.channel] for event, e in zip(row[0], fresh.recent, strict=True)]
    row[9] = b"".join(packed_hash(f"i{n}") for n in range(30))
    old = msgspec.msgpack.encode(row)
    assert shopper_features(old) == shopper_features(shopper.pack(fresh))


async def test_a_store_of_an_earlier_version_is_taken_over():
    store = Store(0)
    await schema.verify(store)
    assert store.version == schema.SCHEMA


async def test_a_store_of_a_later_version_is_left_alone():
    with pytest.raises(NewerRows, match=f"version {schema.SCHEMA + 1}"):
        await schema.verify(Store(schema.SCHEMA + 1))
