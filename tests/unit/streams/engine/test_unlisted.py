"""Rows of ids that no catalogue has stay for a while, and are a bounded number."""

from streams.engine.unlisted import Unlisted


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def population(unlisted, clock, a_second, seconds):
    """How many rows there are at the end, where so many new ones come each second."""
    going = []
    for _ in range(seconds):
        clock.now += 1
        going.append((clock.now + unlisted.last_ms(a_second) / 1000, a_second))
    return sum(count for until, count in going if until > clock.now)


def test_a_shop_without_a_catalogue_has_no_unlisted_items():
    assert Unlisted(Clock(), lambda: False).last_ms(5) == 0


def test_where_few_are_named_an_item_may_be_announced_a_week_later():
    clock = Clock()
    unlisted = Unlisted(clock, lambda: True)
    population(unlisted, clock, 0, 6_000)
    assert unlisted.last_ms(1) == 7 * 86_400_000


def test_bots_leave_no_more_rows_than_some():
    clock = Clock()
    for a_second in (3, 15, 30):
        assert population(Unlisted(clock, lambda: True), clock, a_second, 20_000) < 25_000


def test_no_row_goes_within_ten_minutes():
    clock = Clock()
    unlisted = Unlisted(clock, lambda: True)
    population(unlisted, clock, 1_000, 3_000)
    assert unlisted.last_ms(1_000) == 600_000
