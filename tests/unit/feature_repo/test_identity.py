"""Hashes are a function of what is hashed, and what is kept of them is bounded."""

import tracemalloc

import pytest

from feature_repo.channel import channel_bucket
from feature_repo.context import context_hashes
from feature_repo.identity import context_hash, item_hash
from streams.engine import partitions

MB = 2**20


def held_by(fill) -> float:
    """Megabytes that stay when `fill` is done."""
    tracemalloc.start()
    fill()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / MB


def test_a_pair_is_its_name_and_its_value_as_they_are_written():
    pairs = [("n", 1), ("n", 1.0), ("n", "1.0"), ("n", 0.0), ("n", -0.0), ("n", True)]
    hashes = [context_hash(name, value) for name, value in pairs]
    assert hashes[1] == hashes[2]
    assert len(set(hashes)) == 5
    assert [context_hash(name, value) for name, value in reversed(pairs)] == hashes[::-1]


def test_a_long_pair_has_the_hash_that_it_has():
    assert context_hash("page", "x" * 1_000) == item_hash("page=" + "x" * 1_000)


def test_random_context_values_are_not_kept():
    def fill():
        for n in range(12_000):
            context_hashes("web", {"visit": f"random-{n}-{n * 7919}", "agent": f"{n}" + "x" * 500})

    assert held_by(fill) < 4


def test_random_channels_are_not_kept():
    def fill():
        for n in range(2_000):
            channel_bucket(f"{n}" + "x" * 20_000)

    assert held_by(fill) < 4


def test_random_context_values_drive_out_no_items_hash():
    item_hash.cache_clear()
    item_hash("mug")
    for n in range(70_000):
        context_hash("visit", n)
    before = item_hash.cache_info().hits
    item_hash("mug")
    assert item_hash.cache_info().hits == before + 1


@pytest.mark.parametrize(
    ("cached", "use"),
    [(item_hash, item_hash), (partitions._positive_hash, lambda key: partitions.partition_of(key, 4))],
)
def test_ids_that_nobody_knows_fill_no_more_than_their_share(cached, use):
    """What some thousands hold, held against how many are kept."""
    cached.cache_clear()
    some = 5_000
    held = held_by(lambda: [use(f"bot-{n:06d}") for n in range(some)])
    assert cached.cache_info().currsize == some
    assert held / some * cached.cache_info().maxsize < 24
