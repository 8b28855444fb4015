"""A dead letter says what its record looks like and what to change; its reason stays that of the defect."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import BadRecord, Reason
from headrace.messages import envelopes, lookalikes
from headrace.messages.decoding import decode_event, decode_item, decode_request
from headrace.settings.model import Settings

NOW = 1_767_571_200_000
SETTINGS = Settings()
E = {"event_id": "e", "type": "view", "user_id": "u", "timestamp": NOW, "item_id": "i"}
JSON = json.dumps(E).encode()
ROW = {"before": None, "after": E, "op": "c", "ts_ms": NOW}

NO_JSON = {
    "JSON behind a registry's prefix": (
        b"\x00\x00\x00\x00\x07" + JSON,
        "registry (schema 7): produce the JSON without",
    ),
    "Avro behind a registry's prefix": (b"\x00\x00\x01\x86\xa1\x02e\x06", "registry (schema 100001), Avro or Protobuf"),
    "gzip": (gzip.compress(JSON), "gzip: leave compression to the Kafka client"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x00", "zstd: leave compression"),
    "lz4": (b"\x04\x22\x4d\x18\x64", "lz4: leave compression"),
    "a byte-order mark": (b"\xef\xbb\xbf" + JSON, "byte-order mark: write UTF-8 without one"),
    "UTF-16 with a mark": (json.dumps(E).encode("utf-16"), "UTF-16: write UTF-8"),
    "UTF-16": (json.dumps(E).encode("utf-16-be"), "UTF-16: write UTF-8"),
    "XML": (b"<?xml version='1.0'?><event/>", "XML: produce JSON"),
    "CSV": (b"e1,view,u1,1767571200000,i1", "CSV: produce one JSON object a record"),
    "a Python dictionary": (repr(E).encode(), "as Python prints it: write it with a JSON encoder"),
    "Base64": (b"eyJldmVudF9pZCI6ICJlMSJ9", "Base64: produce the JSON itself"),
    "a form": (b"event_id=e1&type=view", "a submitted form: produce JSON"),
    "objects on lines": (JSON + b"\n" + JSON, "several JSON objects in one record: produce one message a record"),
    "objects side by side": (b'{"event_id": 1}{"event_id": 2}', "several JSON objects in one record"),
    "MessagePack": (b"\x85\xa8event_id\xa1e", "a binary format such as Avro, Protobuf or MessagePack"),
    "a serialised Java object": (b"\xac\xed\x00\x05sr", "a serialised Java object: produce JSON"),
}
OTHER_JSON = {
    "a list of messages": (json.dumps([E, E]).encode(), "several messages in one list: produce one message a record"),
    "JSON in a string": (json.dumps(json.dumps(E)).encode(), "encoded twice: produce the object, not its text"),
}
ENVELOPES = {
    "CloudEvents": (
        {"specversion": "1.0", "id": "1", "data": E},
        "CloudEvents envelope: produce what is in its `data`",
    ),
    "CloudEvents, binary": ({"specversion": "1.0", "data_base64": "e30="}, "what is in its `data_base64`"),
    "Debezium": (ROW, "a Debezium envelope: produce the row alone"),
    "Debezium with its schema": ({"schema": {"type": "struct"}, "payload": ROW}, "a Debezium envelope"),
    "Kafka Connect": ({"schema": {"type": "struct"}, "payload": E}, "a Kafka Connect envelope: set `value.converter"),
    "an envelope of one's own": ({"version": 2, "body": E}, "an envelope: produce what is in its `body`"),
    "a REST proxy's request": ({"records": [{"value": E}]}, "a request to a REST proxy"),
    "names in camel case": ({"eventId": "e", "type": "view"}, "there is a field 'eventId': spell it `event_id`"),
}


def refusal(value: bytes) -> BadRecord:
    with pytest.raises(BadRecord) as caught:
        decode_event(value, appended_ms=NOW, settings=SETTINGS)
    detail = caught.value.detail
    assert detail.endswith(".") and "\n" not in detail and len(detail) < 500
    return caught.value


@pytest.mark.parametrize(("value", "message"), NO_JSON.values(), ids=NO_JSON.keys())
def test_what_is_no_json_is_named(value, message):
    bad = refusal(value)
    assert bad.reason in {Reason.INVALID_JSON, Reason.NOT_UTF8}
    assert message in bad.detail


@pytest.mark.parametrize(("value", "message"), OTHER_JSON.values(), ids=OTHER_JSON.keys())
def test_json_that_is_no_object_is_named(value, message):
    bad = refusal(value)
    assert bad.reason is Reason.WRONG_TYPE
    assert message in bad.detail


@pytest.mark.parametrize(("fields", "message"), ENVELOPES.values(), ids=ENVELOPES.keys())
def test_an_envelope_is_named(fields, message):
    bad = refusal(json.dumps(fields).encode())
    assert bad.reason is Reason.MISSING_FIELD
    assert "`event_id`" in bad.detail
    assert message in bad.detail


def test_every_input_names_what_it_refuses():
    for value, message in (NO_JSON["gzip"], OTHER_JSON["a list of messages"], ENVELOPES["CloudEvents"]):
        written = json.dumps(value).encode() if isinstance(value, dict) else value
        with pytest.raises(BadRecord) as of_item:
            decode_item(b"k", written, appended_ms=NOW, settings=SETTINGS)
        with pytest.raises(BadRecord) as of_request:
            decode_request(written, appended_ms=NOW, settings=SETTINGS)
        assert message in of_item.value.detail
        assert message in of_request.value.detail


@pytest.mark.parametrize("value", [b"hello", b"{", JSON[:-1], JSON + b"}", b"7", b"true", b"", b"\x00\x00\x00\x00\x00"])
def test_what_is_only_broken_is_called_nothing_else(value):
    assert "looks like" not in refusal(value).detail or value[:1] == b"\x00"


@given(st.binary(max_size=200) | st.text().map(str.encode) | st.sampled_from([value for value, _ in NO_JSON.values()]))
def test_any_bytes_can_be_looked_at(value):
    for look in (lookalikes.of_bytes, lookalikes.of_json, lookalikes.of_key):
        assert look(value) is None or isinstance(look(value), str)
    assert envelopes.of_object(value, ["event_id"]) is None or value.lstrip()[:1] == b"{"
