"""A bad event is an answer: dead-lettered once, with its bytes and a reason, and its neighbours are not touched."""

import json

import pytest

from streams.testing import Record, event, item, raw
from streams.testing.plugin import StartWorker

VIEW = {"event_id": "v", "type": "view", "user_id": "bad", "timestamp": 1_770_000_000_000, "item_id": "i"}
BIG = 2 * 1024 * 1024
LOOSE = {
    "timestamp": 1_770_000_000_000.0,
    "quantity": 2.0,
    "items": [],
    "request_id": "",
    "rating": 0,
    "user_ids": [],
    "context": {"page": None, "ok": True, "tags": ["a"], "device": "phone"},
}


def without(field: str) -> dict[str, object]:
    return {name: value for name, value in VIEW.items() if name != field}


BAD: dict[str, tuple[bytes | None, str]] = {
    "not JSON": (b"{", "invalid_json"),
    "JSON that is no object": (b"[1]", "wrong_type"),
    "invalid UTF-8": (b'{"event_id": "\xff"}', "not_utf8"),
    "a missing field": (json.dumps(without("user_id")).encode(), "missing_field"),
    "the field that its type needs": (json.dumps(without("item_id")).encode(), "missing_field"),
    "a mistyped field": (json.dumps({**VIEW, "timestamp": "now"}).encode(), "wrong_type"),
    "an unknown type": (json.dumps({**VIEW, "type": "stare"}).encode(), "unknown_type"),
    "an empty id": (json.dumps({**VIEW, "user_id": ""}).encode(), "out_of_range"),
    "an overlong id": (json.dumps({**VIEW, "item_id": "x" * 129}).encode(), "out_of_range"),
    "a negative quantity": (json.dumps({**VIEW, "quantity": -1}).encode(), "out_of_range"),
    "NaN": (json.dumps({**VIEW, "price": float("nan")}).encode(), "invalid_json"),
    "Infinity": (json.dumps({**VIEW, "price": float("inf")}).encode(), "invalid_json"),
    "a time in the year 1": (json.dumps({**VIEW, "timestamp": -62_135_596_800_000}).encode(), "out_of_range"),
    "a time in 2300": (json.dumps({**VIEW, "timestamp": 10_413_792_000_000}).encode(), "timestamp_in_future"),
    "2 MB": (json.dumps({**VIEW, "query": "x" * BIG}).encode(), "too_large"),
    "a null value": (None, "missing_field"),
    "an impression of 501 items": (
        json.dumps({**without("item_id"), "type": "impression", "items": ["i"] * 501}).encode(),
        "out_of_range",
    ),
    "seconds for milliseconds": (json.dumps({**VIEW, "timestamp": 1_770_000_000}).encode(), "out_of_range"),
    "an ISO time": (json.dumps({**VIEW, "timestamp": "2026-02-02T02:40:00Z"}).encode(), "wrong_type"),
    "a schema registry's frame": (b"\x00\x00\x00\x00\x07" + json.dumps(VIEW).encode(), "invalid_json"),
    "a CloudEvent": (json.dumps({"specversion": "1.0", "id": "1", "data": VIEW}).encode(), "missing_field"),
    "a change as Debezium tells it": (json.dumps({"before": None, "after": VIEW, "op": "c"}).encode(), "missing_field"),
    "two events in a list": (json.dumps([VIEW, VIEW]).encode(), "wrong_type"),
    "quotes that end nowhere": (b'"' + b'\\"' * 131_000 + b"[" * 101, "invalid_json"),
    "deep nesting": (b'{"x":' + b"[" * 20_000 + b"]" * 20_000 + b"}", "invalid_json"),
}


DETAILS = {
    "seconds for milliseconds": "is 1770000000 in seconds? ms since 1970 UTC are wanted",
    "an ISO time": "it is text: ms since 1970 UTC are wanted",
    "a schema registry's frame": "framed by a schema registry (schema 7)",
    "a CloudEvent": "a CloudEvents envelope: produce what is in its `data`",
    "a change as Debezium tells it": "a Debezium envelope",
    "two events in a list": "produce one message a record",
}


@pytest.fixture
def sent(headrace_worker: StartWorker, replay) -> None:
    """Every bad value among good events, on all three inputs."""
    headrace_worker()
    records: list[Record] = [item("i", title="A thing"), raw("items", "i", b"{"), item("j", title="Another")]
    for name, (value, _) in BAD.items():
        records += [raw("events", f"bad: {name}", value), event("view", "good", item_id="i", event_id=f"after {name}")]
    records += [raw("score.requests", "bad: request", b'{"request_id": "r"}')]
    replay(records, wait=True)


def test_each_is_dead_lettered_once_with_its_bytes_and_reason(sent: None, headrace_client):
    letters = headrace_client.received("dead.letters")
    by_key = {letter.key: letter for letter in letters}
    expected = {f"bad: {name}": reason for name, (_, reason) in BAD.items()}
    expected |= {"i": "invalid_json", "bad: request": "missing_field"}
    assert {key: letter.headers["headrace.reason"] for key, letter in by_key.items()} == expected
    assert len(letters) == len(expected)
    for name, (value, _) in BAD.items():
        assert by_key[f"bad: {name}"].raw == value
    assert len({letter.headers["headrace.id"] for letter in letters}) == len(letters)
    assert all(letter.headers["headrace.detail"] for letter in letters)
    for name, message in DETAILS.items():
        assert message in by_key[f"bad: {name}"].headers["headrace.detail"]
    assert {letter.headers["headrace.topic"] for letter in letters} == {"events", "items", "score.requests"}


def test_their_neighbours_are_answered_as_if_they_were_not_there(sent: None, headrace_client):
    answered = {m.value["event_id"] for m in headrace_client.received("recommendations")}
    assert answered == {f"after {name}" for name in BAD}


def test_what_only_looks_bad_is_good(headrace_worker: StartWorker, replay, headrace_client):
    headrace_worker()
    odd = {**VIEW, "timestamp": 1_770_000_000_000}
    repeated_key = json.dumps({**odd, "event_id": "repeated key"})[:-1] + ', "item_id": 7, "item_id": "i"}'
    replay(
        [
            item("i", title="A thing"),
            raw("events", "somebody else", json.dumps({**odd, "event_id": "other key"}).encode()),
            raw("events", None, json.dumps({**odd, "event_id": "null key"}).encode()),
            raw("events", "bad", repeated_key.encode()),
            raw("events", "bad", json.dumps({**odd, "event_id": "twice"}).encode()),
            raw("events", "bad", json.dumps({**odd, "event_id": "twice"}).encode()),
            raw("events", "bad", json.dumps({**odd, **LOOSE, "event_id": "loosely written"}).encode()),
            raw("events", "bad", json.dumps({**odd, "event_id": "unknown item", "item_id": "no such"}).encode()),
        ],
        wait=True,
    )
    answers = [m.value["event_id"] for m in headrace_client.received("recommendations")]
    assert sorted(answers) == ["loosely written", "null key", "other key", "repeated key", "twice", "unknown item"]
    assert headrace_client.received("dead.letters") == []
