"""Hashes of ids and of context pairs: what differs has another one."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feature_repo.context import context_hashes
from feature_repo.identity import context_hash, item_hash

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
