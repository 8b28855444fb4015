"""Which of an item's records counts, in whatever order a reader comes to the partitions."""

from itertools import permutations
from typing import NamedTuple

import pytest

from feature_repo.basics.identity import item_hash
from headrace.messages.items import Item
from streams.serving.catalogue.append_order import append_order
from streams.serving.catalogue.catalogue import Catalogue


class ItemRecord(NamedTuple):
    """A record of an item: a title, or None where it is withdrawn."""

    title: str | None
    append_ms: int
    partition: int


def known_after(records: list[ItemRecord]) -> tuple[str, bool]:
    """Title and availability of the item."""
    catalogue = Catalogue()
    for record in records:
        order = append_order(record.append_ms, record.partition)
        if record.title is None:
            catalogue.withdraw("i", order)
        else:
            catalogue.put(Item(item_id="i", title=record.title), order)
    entry = catalogue.get(item_hash("i"))
    assert entry is not None
    return entry.title, entry.available


def interleavings(records: list[ItemRecord]) -> list[list[ItemRecord]]:
    """Every order in which a reader may meet the records: each partition's own is kept."""
    return [
        list(order)
        for order in permutations(records)
        if all([r for r in order if r.partition == p] == [r for r in records if r.partition == p] for p in range(3))
    ]


@pytest.mark.parametrize("partitions", [(0, 2), (2, 0)])
def test_a_withdrawn_item_stays_withdrawn_whichever_partition_it_lies_in(partitions):
    first, second = partitions
    records = [ItemRecord("Tin", 10, first), ItemRecord(None, 20, second)]
    assert {known_after(order)[1] for order in interleavings(records)} == {False}


def test_an_item_that_is_sold_again_is_sold_whichever_partition_it_lies_in():
    records = [
        ItemRecord("Tin", 10, 0),
        ItemRecord(None, 20, 1),
        ItemRecord("Tin again", 30, 0),
        ItemRecord("Blue tin", 40, 2),
    ]
    assert {known_after(order) for order in interleavings(records)} == {("Blue tin", True)}


def test_of_one_millisecond_every_reader_takes_the_same_record():
    records = [
        ItemRecord("Tin", 10, 0),
        ItemRecord(None, 10, 1),
        ItemRecord("Box", 10, 2),
        ItemRecord("Tin again", 10, 0),
    ]
    assert len({known_after(order) for order in interleavings(records)}) == 1


def test_within_a_partition_its_own_order_counts_whatever_its_times():
    assert known_after([ItemRecord("Tin", 20, 0), ItemRecord("Older clock", 10, 0)]) == ("Older clock", True)


def test_a_withdrawal_that_kafka_has_forgotten_counts_where_it_was_noted():
    catalogue = Catalogue()
    catalogue.withdraw("i", append_order(20, 1))
    catalogue.put(Item(item_id="i", title="Tin"), append_order(10, 0))
    assert list(catalogue.withdrawn()) == [item_hash("i")]
    catalogue.put(Item(item_id="i", title="Tin"), append_order(30, 0))
    assert item_hash("i") not in catalogue.withdrawn()
