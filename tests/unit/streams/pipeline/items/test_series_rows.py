"""Rows of the item pipeline: most of a row is left alone by most writes, and read back it is the whole row."""

import random

import pytest
from msgspec.structs import replace

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.items import item, window_index
from feature_repo.items.scopes import SHOP
from feature_repo.items.window_index import WindowIndex
from feature_repo.store.row_store import StoredRow
from headrace.messages.internal import ItemUpdate, Watermark
from streams.pipeline.items.series_rows import ItemRow, WindowIndexRow

HOUR = 3_600_000
ABSENT = StoredRow(b"", b"", (b"", b""))


class Stored:
    """A row as the store has it: what is written as None stays."""

    def __init__(self):
        self.row = ABSENT
        self.whole_writes = 0

    def take(self, write):
        self.whole_writes += write.states[-1] is not None
        states = [old if new is None else new for old, new in zip(self.row.states, write.states, strict=True)]
        self.row = StoredRow(write.fence, write.seen, tuple(states))


@pytest.fixture
def stored():
    return Stored()


def update(item_id, hour, action="purchase", offset=0):
    return ItemUpdate(offset, item_id, ACTION_CODE[action], hour * HOUR, 1, 100, False)


def some_deltas(seed):
    """Deltas over three weeks, most in order of time, some days late."""
    order = random.Random(seed)
    hours = [n / 3 - (order.randrange(200) if order.random() < 0.05 else 0) for n in range(1_500)]
    actions = ["view", "click", "purchase", "return"]
    return [update("tea", int(max(hour, 0)), order.choice(actions)) for hour in hours]


def test_an_items_row_is_the_same_however_often_it_was_written_and_read(stored):
    expected = item.ItemActivity()
    row, order = ItemRow(SHOP, ABSENT), random.Random(1)
    for n, one in enumerate(some_deltas(0)):
        item.fold(expected, one, HOUR)
        assert row.fold("events/0", replace(one, offset=n), HOUR)
        if order.random() < 0.3:
            stored.take(row.to_write("deltas/0", n))
        if order.random() < 0.1:
            stored.take(row.to_write("deltas/0", n))
            row = ItemRow(SHOP, stored.row)
    assert item.as_features(row.merged()) == item.as_features(expected)


def test_an_item_of_many_windows_is_mostly_written_without_the_older_ones(stored):
    row = ItemRow(SHOP, ABSENT)
    for n in range(1_000):
        row.fold("events/0", replace(update("tea", n // 10), offset=n), HOUR)
        stored.take(row.to_write("deltas/0", n))
    assert 10 <= stored.whole_writes <= 20


def test_an_index_is_the_same_however_often_it_was_written_and_read(stored):
    expected, row, order = WindowIndex(), WindowIndexRow(0, ABSENT), random.Random(2)
    for n in range(6_000):
        one = update(f"item-{order.randrange(2_000)}", n // 500)
        window_index.observe(expected, 0, one, HOUR)
        row.observe(0, one, HOUR)
        if n % 700 == 0:
            word = Watermark(0, one.timestamp - HOUR, False)
            bounds = {"sources": 1, "windows": HOUR, "lateness_ms": 0}
            closed_windows = window_index.advance(expected, 0, word, **bounds)
            assert row.advance(0, word, **bounds) == closed_windows
        if order.random() < 0.05:
            stored.take(row.to_write("deltas/0", n))
            row = WindowIndexRow(0, stored.row)
    assert window_index.pack(row.index) == window_index.pack(expected)


def test_the_bulk_of_an_index_is_written_when_a_window_closes_or_many_items_are_news(stored):
    row = WindowIndexRow(0, ABSENT)
    for n in range(3_000):
        row.observe(0, update(f"item-{n % 1_500}", 10), HOUR)
        stored.take(row.to_write("deltas/0", n))
    assert stored.whole_writes == 3  # at first, and twice for news: the second half sells what has sold
    row.advance(0, Watermark(0, 12 * HOUR, False), sources=1, windows=HOUR, lateness_ms=0)
    stored.take(row.to_write("deltas/0", 3_000))
    assert stored.whole_writes == 4
    assert len(stored.row.states[0]) < 100


def test_an_index_that_version_1_wrote_in_one_piece_is_read(stored):
    before = WindowIndex(pending={7: {"tea"}}, recent={"cup": 5}, closed=7)
    row = WindowIndexRow(0, StoredRow(b"", b"", (window_index.pack(before), b"")))
    assert row.index == before
    stored.take(row.to_write("deltas/0", 1))
    assert WindowIndexRow(0, stored.row).index == before
