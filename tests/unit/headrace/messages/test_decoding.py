"""What the contract allows is decoded; what it forbids is refused with its reason. Nothing else ever happens."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from headrace.errors import BadRecord, Reason
from headrace.messages.decoding import decode_event, decode_item, decode_request
from headrace.messages.depth import MAX_DEPTH
from headrace.messages.events import Event, EventType
from headrace.messages.items import Item, Withdrawn
from headrace.settings.model import Settings

SETTINGS = Settings()
NOW = 1_767_571_200_000
VIEW = {"event_id": "e1", "type": "view", "user_id": "u1", "timestamp": NOW, "item_id": "i1"}


def decode(value: bytes | str | dict | None) -> Event:
    if isinstance(value, dict):
        value = json.dumps(value)
    if isinstance(value, str):
        value = value.encode()
    return decode_event(value, appended_ms=NOW, settings=SETTINGS)


def reason(value: bytes | str | dict | None) -> tuple[Reason, str]:
    with pytest.raises(BadRecord) as caught:
        decode(value)
    return caught.value.reason, caught.value.detail


def view(**changes) -> dict:
    return {**VIEW, **changes}


def view_with(tail: str) -> str:
    """A view whose last members are written out, so that they need not be what `json.dumps` writes."""
    return json.dumps(VIEW)[:-1] + "," + tail + "}"


BAD = {
    "no bytes": ("", Reason.INVALID_JSON, "JSON"),
    "not JSON": ("hello", Reason.INVALID_JSON, "JSON"),
    "a number, then more": ("12,view", Reason.INVALID_JSON, "JSON"),
    "a list without an end": ("[1", Reason.INVALID_JSON, "JSON"),
    "two values": ("{} {}", Reason.INVALID_JSON, "JSON"),
    "NaN": (view_with('"price": NaN'), Reason.INVALID_JSON, "JSON"),
    "Infinity in an ignored field": (view_with('"x": [{"y": -Infinity}]'), Reason.INVALID_JSON, "JSON"),
    "lone surrogate": (view_with(r'"text": "\ud800 and on"'), Reason.INVALID_JSON, "JSON"),
    "lone surrogate in an ignored field": (view_with(r'"x": "\udc00 and on"'), Reason.INVALID_JSON, "JSON"),
    "deep nesting": ("[" * 10_000, Reason.INVALID_JSON, "nests deeper"),
    "deep nesting in an ignored field": (
        view_with('"x": ' + '{"a":' * 10_000 + "1" + "}" * 10_000),
        Reason.INVALID_JSON,
        "nests deeper",
    ),
    "a list": ("[1]", Reason.WRONG_TYPE, "object"),
    "the JSON null": ("null", Reason.WRONG_TYPE, "object"),
    "null value": (None, Reason.MISSING_FIELD, "null"),
    "no field": ("{}", Reason.MISSING_FIELD, "`event_id`"),
    "required field null": (view(user_id=None), Reason.MISSING_FIELD, "`user_id`"),
    "view without item": (view(item_id=None), Reason.MISSING_FIELD, "`item_id`"),
    "impression without items": (view(type="impression"), Reason.MISSING_FIELD, "`items`"),
    "search without query": (view(type="search"), Reason.MISSING_FIELD, "`query`"),
    "identify without ids": (view(type="identify"), Reason.MISSING_FIELD, "`user_ids`"),
    "number for text": (view(user_id=5), Reason.WRONG_TYPE, "`user_id`"),
    "boolean for integer": (view(quantity=True), Reason.WRONG_TYPE, "`quantity`"),
    "fraction for integer": (view(timestamp=1.5), Reason.WRONG_TYPE, "`timestamp`"),
    "fraction, however it is written": (view_with('"quantity": 25e-1'), Reason.WRONG_TYPE, "`quantity`"),
    "integer beyond floats": (view_with('"quantity": 1e999'), Reason.OUT_OF_RANGE, "`quantity`"),
    "nothing in a field that its type needs": (view(type="impression", items=[]), Reason.OUT_OF_RANGE, "`items`"),
    "text for number": (view(price="2"), Reason.WRONG_TYPE, "`price`"),
    "a context that is no object": (view(context="web"), Reason.WRONG_TYPE, "`context`"),
    "a number for a truth": (view(context=0), Reason.WRONG_TYPE, "`context`"),
    "type that is no text": (view(type=5), Reason.WRONG_TYPE, "`type`"),
    "unknown type": (view(type="wish"), Reason.UNKNOWN_TYPE, "`type`"),
    "empty id": (view(user_id=""), Reason.OUT_OF_RANGE, "`user_id`"),
    "overlong id": (view(item_id="x" * 129), Reason.OUT_OF_RANGE, "`item_id`"),
    "negative quantity": (view(quantity=-1), Reason.OUT_OF_RANGE, "`quantity`"),
    "negative price": (view(price=-0.01), Reason.OUT_OF_RANGE, "`price`"),
    "price beyond floats": (view_with('"price": 1e999'), Reason.OUT_OF_RANGE, "`price`"),
    "integer of 5000 digits": (view_with('"quantity": ' + "9" * 5_000), Reason.OUT_OF_RANGE, "`quantity`"),
    "rating of six": (view(rating=6), Reason.OUT_OF_RANGE, "`rating`"),
    "501 items": (view(type="impression", items=["i"] * 501), Reason.OUT_OF_RANGE, "`items`"),
    "seconds": (view(timestamp=NOW // 1_000), Reason.OUT_OF_RANGE, "is 1767571200 in seconds? ms since 1970"),
    "seconds as a float": (view(timestamp=NOW / 1_000), Reason.OUT_OF_RANGE, "is 1767571200 in seconds?"),
    "seconds with a fraction": (view(timestamp=NOW / 1_000 + 0.25), Reason.WRONG_TYPE, "in seconds with a fraction?"),
    "microseconds": (view(timestamp=NOW * 1_000), Reason.OUT_OF_RANGE, "in microseconds? ms since 1970 UTC"),
    "nanoseconds": (view(timestamp=NOW * 10**6), Reason.OUT_OF_RANGE, "in nanoseconds? ms since 1970 UTC"),
    "ISO time": (view(timestamp="2026-01-05T00:00:00Z"), Reason.WRONG_TYPE, "it is text: ms since 1970 UTC"),
    "digits as text": (view(timestamp=str(NOW)), Reason.WRONG_TYPE, "it is text: ms since 1970 UTC"),
    "no time": (view(timestamp=0), Reason.OUT_OF_RANGE, "HEADRACE_PAST"),
    "year 1": (view(timestamp=-62_135_596_800_000), Reason.OUT_OF_RANGE, "`timestamp`"),
    "year 2300": (view(timestamp=10_413_792_000_000), Reason.TIMESTAMP_IN_FUTURE, "`timestamp`"),
    "no UTF-8": (b'{"event_id":"\xff"}', Reason.NOT_UTF8, "byte 13"),
    "no UTF-8 in an ignored field": (view_with('"x": "?"').encode().replace(b"?", b"\xc3("), Reason.NOT_UTF8, "UTF-8"),
    "last of a repeated key is bad": (view_with('"item_id": 5'), Reason.WRONG_TYPE, "`item_id`"),
}


@pytest.mark.parametrize(("value", "expected", "named"), BAD.values(), ids=BAD.keys())
def test_a_bad_event_is_refused_with_its_reason(value, expected, named):
    found, detail = reason(value)
    assert found is expected
    assert named in detail
    assert detail.endswith(".") and "\n" not in detail


def test_a_large_value_is_refused_before_anything_else_is_looked_at():
    assert reason(b"\xff" * (SETTINGS.max_event_bytes + 1))[0] is Reason.TOO_LARGE


def test_the_future_begins_after_the_setting():
    assert decode(view(timestamp=NOW + SETTINGS.future)).timestamp == NOW + SETTINGS.future
    assert reason(view(timestamp=NOW + SETTINGS.future + 1))[0] is Reason.TIMESTAMP_IN_FUTURE


def test_the_past_begins_before_the_setting():
    past = Settings(past="2015-06-01")
    edge = 1_433_116_800_000
    kept = decode_event(json.dumps(view(timestamp=edge)).encode(), appended_ms=NOW, settings=past)
    assert kept.timestamp == edge
    with pytest.raises(BadRecord) as caught:
        decode_event(json.dumps(view(timestamp=edge - 1)).encode(), appended_ms=NOW, settings=past)
    assert caught.value.reason is Reason.OUT_OF_RANGE


NOTHING = {
    "null": dict.fromkeys(("channel", "quantity", "price", "context", "items", "session_id", "rating")),
    "empty text": dict.fromkeys(("channel", "quantity", "price", "context", "items", "session_id", "rating"), ""),
    "empty list": {name: [] for name in ("channel", "quantity", "price", "context", "items", "text")},
    "what Go and protobuf write": {
        "items": [],
        "request_id": "",
        "session_id": "",
        "channel": "",
        "quantity": 0,
        "query": "",
        "rating": 0.0,
        "text": "",
        "user_ids": [],
        "context": {},
    },
}


@pytest.mark.parametrize("fields", NOTHING.values(), ids=NOTHING.keys())
def test_a_field_that_holds_nothing_is_as_good_as_absent(fields):
    found = decode(view(**fields))
    assert replace(found, context=found.context or None) == decode(VIEW)


def test_a_field_that_another_type_needs_may_hold_nothing():
    search = {**VIEW, "type": "search", "query": "tea", "item_id": "", "items": [], "user_ids": []}
    assert decode(search).item_id is None
    assert decode({**VIEW, "type": "impression", "items": ["a"], "item_id": ""}).items == ["a"]
    assert decode({**VIEW, "type": "identify", "user_ids": ["v"], "item_id": ""}).user_ids == ["v"]


@pytest.mark.parametrize(
    ("tail", "field", "wanted"),
    [
        ('"timestamp": 1767571200000.0', "timestamp", NOW),
        ('"timestamp": 1.7675712e12', "timestamp", NOW),
        ('"quantity": 2.0', "quantity", 2),
        ('"quantity": 2e0', "quantity", 2),
        ('"quantity": 20000e-4', "quantity", 2),
        ('"quantity": 0.0', "quantity", 1),
        ('"quantity": 999999999.0', "quantity", 999_999_999),
        ('"price": 3', "price", 3.0),
    ],
)
def test_a_number_without_a_fraction_is_an_integer_however_it_is_written(tail, field, wanted):
    assert getattr(decode(view_with(tail)), field) == wanted


def test_what_a_context_cannot_hold_is_left_out_and_told():
    names: list[str] = []
    context = '{"page": null, "ok": true, "tags": ["a"], "at": {"x": 1}, "far": 1e999, "n": 2.5, "device": "phone"}'
    value = view_with(f'"context": {context}').encode()
    event = decode_event(value, appended_ms=NOW, settings=SETTINGS, on_skipped=names.append)
    assert event.context == {"n": 2.5, "device": "phone"}
    assert names == ["page", "ok", "tags", "at", "far"]


def test_an_integer_beyond_64_bits_is_a_float_in_a_context():
    context = decode(view_with(f'"context": {{"n": {10**30}, "m": {2**63 - 1}}}')).context
    assert context == {"n": 1e30, "m": 2**63 - 1}
    assert isinstance((context or {})["n"], float)


@pytest.mark.parametrize(
    "tail",
    [
        '"item_id": 5, "item_id": "i2"',
        '"channel": null, "item_id": "i2"',
        '"item_id": "", "item_id": "i2"',
        '"x": 1, "x": 2, "item_id": "i2"',
    ],
)
def test_the_last_of_a_repeated_key_counts(tail):
    assert decode(view_with(tail)) == decode(view(item_id="i2"))


def test_the_last_of_a_repeated_key_counts_within_context():
    assert decode(view_with('"context": {"page": [1], "page": "home"}')).context == {"page": "home"}


def test_unknown_fields_are_ignored_whatever_they_hold():
    strange = '"x": {"deep": ' + "[" * (MAX_DEPTH - 3) + "]" * (MAX_DEPTH - 3) + '}, "y": 1e999, "z": "[[[["'
    assert decode(view_with(strange)) == decode(VIEW)


def test_brackets_in_text_are_no_nesting():
    text = '[{"' * 1_000
    assert decode(view(type="review", text=text)).text == text


def test_how_deep_the_caller_stands_makes_no_difference():
    value = view_with('"x": ' + "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1))

    def at_depth(levels: int) -> Event:
        return decode(value) if levels == 0 else at_depth(levels - 1)

    assert at_depth(500) == decode(VIEW)


def test_an_item_is_what_its_value_says_whatever_the_key():
    value = b'{"item_id": "i1", "title": "Tin", "brand": null}'
    assert decode_item(b"other", value, appended_ms=NOW, settings=SETTINGS) == Item(item_id="i1", title="Tin")


def test_a_null_value_withdraws_the_item_of_the_key():
    assert decode_item("ü".encode(), None, appended_ms=NOW, settings=SETTINGS) == Withdrawn("ü")


@pytest.mark.parametrize("value", [b"", b"null", b" null\n"])
def test_an_empty_value_and_the_json_null_withdraw_as_a_null_value_does(value):
    assert decode_item(b"tea", value, appended_ms=NOW, settings=SETTINGS) == Withdrawn("tea")


KEYS = {
    "none": (None, "no item id"),
    "empty": (b"", "no item id"),
    "no UTF-8": (b"\xff", "no item id"),
    "overlong": (b"x" * 129, "no item id"),
    "a registry's": (b"\x00\x00\x00\x00\x07tea", "schema registry (schema 7)"),
    "a JSON string": (b'"tea"', "written as JSON: write the item id itself"),
    "a JSON object": (b'{"item_id": "tea"}', "written as JSON: write the item id itself"),
}


@pytest.mark.parametrize("value", [None, b"", b"null"])
@pytest.mark.parametrize(("key", "complaint"), KEYS.values(), ids=KEYS.keys())
def test_a_withdrawal_under_a_key_that_is_no_id_is_refused(key, complaint, value):
    with pytest.raises(BadRecord) as caught:
        decode_item(key, value, appended_ms=NOW, settings=SETTINGS)
    assert caught.value.reason is Reason.MISSING_FIELD
    assert "`item_id`" in caught.value.detail
    assert complaint in caught.value.detail


@pytest.mark.parametrize("key", [b'"', b'5" tin', b"{a}", b"\x00\x00", b"17"])
def test_an_odd_id_is_an_id(key):
    assert decode_item(key, None, appended_ms=NOW, settings=SETTINGS) == Withdrawn(key.decode())


def item(**fields) -> Item:
    value = json.dumps({"item_id": "tea", "title": "Tea", **fields}).encode()
    found = decode_item(b"tea", value, appended_ms=NOW, settings=SETTINGS)
    assert isinstance(found, Item)
    return found


def test_an_item_is_kept_for_what_it_has():
    assert item(categories="kitchen").categories == ["kitchen"]
    assert item(categories="") == item()
    assert item(title="t" * 5_000).title == "t" * 4_000
    empty = {"description": [], "brand": None, "price": "", "available": None, "timestamp": 0}
    assert item(**empty) == item(timestamp=0.0) == item()
    assert item(timestamp=float(NOW)).timestamp == NOW
    assert item(attributes={"size": 4, "colours": ["red"]}) == item()
    assert item(boost=10, pinned_for="kitchen") == item(boost=10.0, pinned_for=["kitchen"])
    assert item(boost="", pinned_for=[]) == item()
    assert item(boost=0).boost == 0


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"title": ""}, Reason.OUT_OF_RANGE),
        ({"title": None}, Reason.MISSING_FIELD),
        ({"available": 0}, Reason.WRONG_TYPE),
        ({"categories": ["tea", None]}, Reason.WRONG_TYPE),
        ({"boost": 10.5}, Reason.OUT_OF_RANGE),
        ({"boost": -1}, Reason.OUT_OF_RANGE),
        ({"boost": True}, Reason.WRONG_TYPE),
        ({"pinned_for": ["tea", 5]}, Reason.WRONG_TYPE),
        ({"timestamp": NOW // 1_000}, Reason.OUT_OF_RANGE),
        ({"timestamp": NOW + 7_200_000}, Reason.TIMESTAMP_IN_FUTURE),
    ],
)
def test_an_item_that_would_be_misread_is_refused(fields, expected):
    with pytest.raises(BadRecord) as caught:
        item(**fields)
    assert caught.value.reason is expected


def test_a_request_needs_its_items():
    good = {"request_id": "r", "user_id": "u", "timestamp": NOW, "items": ["a", "b"]}
    decoded = decode_request(json.dumps(good).encode(), appended_ms=NOW, settings=SETTINGS)
    assert decoded.items == ["a", "b"]
    loose = {**good, "timestamp": float(NOW), "context": []}
    assert decode_request(json.dumps(loose).encode(), appended_ms=NOW, settings=SETTINGS) == decoded
    for items, expected in ((None, Reason.MISSING_FIELD), ([], Reason.OUT_OF_RANGE), ("a", Reason.WRONG_TYPE)):
        with pytest.raises(BadRecord) as caught:
            decode_request(json.dumps({**good, "items": items}).encode(), appended_ms=NOW, settings=SETTINGS)
        assert caught.value.reason is expected
    with pytest.raises(BadRecord) as caught:
        decode_request(json.dumps({**good, "timestamp": NOW // 1_000}).encode(), appended_ms=NOW, settings=SETTINGS)
    assert (caught.value.reason, "seconds" in caught.value.detail) == (Reason.OUT_OF_RANGE, True)


def judged(value: bytes) -> Event | BadRecord:
    try:
        return decode(value)
    except BadRecord as error:
        return error


@given(st.binary())
def test_any_bytes_are_an_event_or_a_bad_record(value):
    assert isinstance(judged(value), Event | BadRecord)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
NAMES = st.sampled_from([*Event.__struct_fields__, "unknown"])


@given(st.dictionaries(NAMES, JSON | st.sampled_from(list(EventType))))
def test_any_object_is_an_event_or_a_bad_record(fields):
    assert isinstance(judged(json.dumps({**VIEW, **fields}).encode()), Event | BadRecord)


@given(st.dictionaries(NAMES, JSON | st.sampled_from(list(EventType))))
def test_an_invalid_first_of_a_repeated_key_changes_nothing(fields):
    plain = json.dumps({**VIEW, **fields})
    shadowed = plain.replace("{", '{"event_id": [], "quantity": "many", ', 1) if "quantity" in fields else plain
    first, second = judged(plain.encode()), judged(shadowed.encode())
    if isinstance(first, BadRecord):
        assert isinstance(second, BadRecord)
        assert second.reason is first.reason
    else:
        assert second == first
