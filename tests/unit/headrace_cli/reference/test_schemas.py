"""The published schemas and the worker's decoders accept the same values, whoever is asked first."""

import json
from collections.abc import Callable
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from headrace.errors import BadRecord
from headrace.messages.decoding import decode_event, decode_item, decode_request
from headrace.messages.events import LAST_MS, MAX_SHOWN, MOST, Event, EventType
from headrace.messages.items import Item
from headrace.messages.requests import ScoreRequest
from headrace.settings.model import Settings
from headrace_cli.reference.schemas import schema_of

SETTINGS = Settings(future=LAST_MS)
NOW = 1_767_571_200_000

DECODERS: dict[type[msgspec.Struct], Callable[..., object]] = {
    Event: decode_event,
    Item: partial(decode_item, b"key"),
    ScoreRequest: decode_request,
}
GOOD = {
    Event: {"event_id": "e", "type": "view", "user_id": "u", "timestamp": NOW, "item_id": "i"},
    Item: {"item_id": "i", "title": "Tin"},
    ScoreRequest: {"request_id": "r", "user_id": "u", "timestamp": NOW, "items": ["i"]},
}
VALIDATORS = {kind: Draft202012Validator(schema_of(kind)) for kind in DECODERS}
NAMES = sorted({name for kind in DECODERS for name in kind.__struct_fields__} | {"unknown"})

EDGES = [0, 1, 2, 5, MOST, NOW // 1_000, 946_684_800_000, NOW, LAST_MS, NOW * 1_000, 2**53, 2**63, 10**30, 10**400]
numbers = st.sampled_from([*EDGES, 0.5, 5.5, 1e-7, MOST + 0.5, 1e300]) | st.builds(
    lambda edge, step: edge + step, st.sampled_from(EDGES), st.sampled_from([-1, 1])
)
texts = st.sampled_from(["", "i", "x" * 128, "x" * 129, "t" * 4_001, "2", "0", "2026-01-01", "web", "ü" * 128])
scalars = st.none() | st.booleans() | numbers | texts
lists = st.lists(texts, max_size=3) | st.sampled_from([["i"] * MAX_SHOWN, ["i"] * (MAX_SHOWN + 1), [[]], [1], [None]])
objects = st.dictionaries(texts, scalars | st.just([]) | st.just({"a": 1}), max_size=3)
values = scalars | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | lists | objects
spelled = st.sampled_from(["2.0", "2e0", "-0.0", "0e5", "1e9", f"{NOW}.0", "1.767571200000e12", "2.5", "1e999", "[ ]"])


def written(fields: dict[str, object], spellings: dict[str, str]) -> bytes:
    """A message, some of its values written out as they are spelled."""
    members = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in fields.items()]
    members += [f"{json.dumps(name)}: {spelling}" for name, spelling in spellings.items()]
    return ("{" + ", ".join(members) + "}").encode()


def is_taken(kind: type[msgspec.Struct], value: bytes) -> bool:
    try:
        DECODERS[kind](value, appended_ms=NOW, settings=SETTINGS)
    except BadRecord:
        return False
    return True


def is_valid(kind: type[msgspec.Struct], value: bytes) -> bool:
    return VALIDATORS[kind].is_valid(json.loads(value))


@pytest.mark.parametrize("kind", DECODERS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=400)
def test_a_worker_takes_what_the_schema_accepts_and_nothing_else(kind, data):
    fields = dict(GOOD[kind])
    if kind is Event:
        fields["type"] = data.draw(st.sampled_from([*EventType, "wish"]))
    names = st.sampled_from(NAMES)
    fields |= data.draw(st.dictionaries(names, values, max_size=3))
    for name in data.draw(st.sets(names, max_size=1)):
        fields.pop(name, None)
    value = written(fields, data.draw(st.dictionaries(names, spelled, max_size=2)))
    assert is_taken(kind, value) == is_valid(kind, value), value


@pytest.mark.parametrize("kind", DECODERS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("value", [b"null", b" null ", b"7", b'"text"', b"[]", b"{}", b"true"])
def test_of_other_json_only_the_null_that_withdraws_an_item_is_taken(kind, value):
    assert is_taken(kind, value) == is_valid(kind, value) == (kind is Item and value.strip() == b"null")


@pytest.mark.parametrize("kind", DECODERS, ids=lambda kind: kind.__name__)
def test_the_schemas_are_schemas(kind):
    Draft202012Validator.check_schema(schema_of(kind))
    assert is_taken(kind, json.dumps(GOOD[kind]).encode())
