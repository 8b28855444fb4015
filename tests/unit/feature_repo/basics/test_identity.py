"""Hashes of ids and of context pairs: what differs has another one, and what is kept of them is bounded."""

import tracemalloc

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feature_repo.basics.identity import context_hash, item_hash
from feature_repo.shoppers.context import channel_bucket, context_hashes
from headrace import partitioning

MB = 2**20
odd = st.text("=\x1f1a", max_size=5)


@given(st.tuples(odd, odd), st.tuples(odd, odd))
@example(("a", "b=c"), ("a=b", "c"))
@example(("\x1f3=a=b", "c"), ("a=b", "c"))
def test_no_name_and_value_are_taken_for_another_name_and_value(one, other):
    assert (context_hash(*one) == context_hash(*other)) == (one == other)


def test_a_plain_pair_has_the_hash_that_published_models_know():
    assert context_hash("device", "phone") == item_hash("device=phone")
    assert context_hash("n", 2.5) == item_hash("n=2.5")


@pytest.mark.parametrize("value", [2, 2.0, 2e0])
def test_a_number_without_a_fraction_is_one_value_however_it_is_written(value):
    assert context_hash("visits", value) == item_hash("visits=2")
    assert context_hashes("web", {"visits": value})[1] == item_hash("visits=2")


def test_a_number_as_large_as_a_float_has_a_hash():
    assert context_hash("n", 1e300) == item_hash(f"n={int(1e300)}")


def held_by(fill) -> float:
    """Megabytes that stay when `fill` is done."""
    tracemalloc.start()
    fill()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / MB


def test_a_pair_has_one_hash_whatever_was_hashed_before():
    pairs = [("n", 1), ("n", 1.0), ("n", "1"), ("n", "1.0"), ("n", 1.5), ("n", "1.5"), ("n", 0.0), ("n", -0.0)]
    hashes = [context_hash(name, value) for name, value in pairs]
    assert hashes[0] == hashes[1] == hashes[2]
    assert len(set(hashes)) == 4
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
    [(item_hash, item_hash), (partitioning._positive_hash, lambda key: partitioning.partition_of(key, 4))],
)
def test_ids_that_nobody_knows_fill_no_more_than_their_share(cached, use):
    """What some thousands hold, held against how many are kept."""
    cached.cache_clear()
    some = 5_000
    held = held_by(lambda: [use(f"bot-{n:06d}") for n in range(some)])
    assert cached.cache_info().currsize == some
    assert held / some * cached.cache_info().maxsize < 24
