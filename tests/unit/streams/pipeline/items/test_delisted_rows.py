"""Rows of ids that no catalogue has stay for a while, and are a bounded number."""

from feature_repo.items.scopes import SHOP
from feature_repo.store.row_store import PERSIST, StoredRow
from streams.pipeline.items.delisted import DelistedRows
from streams.pipeline.items.series_rows import ItemRow


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def population(unlisted, clock, a_second, seconds):
    """How many rows there are at the end, where so many new ones come each second."""
    going = []
    for _ in range(seconds):
        clock.now += 1
        going.append((clock.now + unlisted.ttl_ms(a_second) / 1000, a_second))
    return sum(count for until, count in going if until > clock.now)


def test_what_the_catalogue_has_stays_and_the_shop_itself_too():
    absent = StoredRow(b"", b"", (b"", b"", b""))
    rows = {key: ItemRow(key, absent) for key in ("mug", "bot", SHOP)}
    rows["old"] = ItemRow("old", absent._replace(states=(b"withdrawn", b"", b"")))
    lasts = DelistedRows(Clock(), lambda item_id: item_id == "mug").ttls(rows)
    assert lasts.pop("bot") >= 600_000
    assert lasts == {"mug": PERSIST}


def test_where_few_are_named_an_item_may_be_announced_a_week_later():
    clock = Clock()
    unlisted = DelistedRows(clock, lambda _: False)
    population(unlisted, clock, 0, 6_000)
    assert unlisted.ttl_ms(1) == 7 * 86_400_000


def test_bots_leave_no_more_rows_than_some():
    clock = Clock()
    for a_second in (3, 15, 30):
        assert population(DelistedRows(clock, lambda _: False), clock, a_second, 20_000) < 25_000


def test_no_row_goes_within_ten_minutes():
    clock = Clock()
    unlisted = DelistedRows(clock, lambda _: False)
    population(unlisted, clock, 1_000, 3_000)
    assert unlisted.ttl_ms(1_000) == 600_000
