"""Depth is that of brackets outside of strings, and is found in one pass over the bytes."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.messages.depth import depth


def plainly(value: bytes) -> int:
    """The same, one character after the other."""
    deepest = level = 0
    inside = escaped = False
    for character in value.decode("latin-1"):
        inside ^= character == '"' and not escaped
        escaped = character == "\\" and not escaped
        level += 0 if inside else (character in "[{") - (character in "]}")
        deepest = max(deepest, level)
    return deepest


@given(st.text('[]{}"\\ax', max_size=60))
def test_depth_is_what_one_character_after_the_other_gives(text):
    assert depth(text.encode()) == plainly(text.encode())


JSON = st.recursive(
    st.text('[]{}"\\'), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('["\\'), inner, max_size=3)
)


@given(JSON)
def test_depth_is_that_of_the_value(value):
    def levels(part: object) -> int:
        if isinstance(part, dict):
            return 1 + max(map(levels, part.values()), default=0)
        return 1 + max(map(levels, part), default=0) if isinstance(part, list) else 0

    assert depth(json.dumps(value).encode()) == levels(value)


@pytest.mark.parametrize("value", [b"", b"\\", b'"\\', b'"', b"]", b'"\\"[', b"\\\\["])
def test_the_edges_of_a_value_are_no_edges_of_an_array(value):
    assert depth(value) == plainly(value)


LONG = {
    "escaped quotes": b'"' + b'\\"' * 131_000 + b"[" * 101,
    "backslashes": b'"' + b"\\" * 262_000 + b"[" * 101,
    "quotes": b'"' * 262_000 + b"[" * 101,
    "open strings": b'["' * 131_000,
    "brackets": b"[" * 262_000,
}


@pytest.mark.parametrize("value", LONG.values(), ids=LONG.keys())
def test_no_pattern_of_quotes_makes_the_time_grow_with_the_square_of_the_length(value):
    began = time.process_time()
    depth(value)
    # It takes some ms; a pass for each quote would take minutes.
    assert time.process_time() - began < 5
