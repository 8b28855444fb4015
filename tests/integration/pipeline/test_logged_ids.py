"""A worker's log is one JSON object a line, and what became of an event is found there by its id."""

import json
from typing import Any

import pytest

from headrace.errors import StackError
from streams.testing import Worker, event, item, raw
from streams.testing.plugin import StartWorker

NO_ITEM = {"event_id": "no-item", "type": "view", "user_id": "ann", "timestamp": 1_770_000_000_000}


def lines_of(worker: Worker) -> list[dict[str, Any]]:
    """The log, of which every line is an object."""
    return [json.loads(line) for line in worker.log.read_text().splitlines()]


def test_every_line_of_a_worker_is_json_and_a_dead_letter_is_found_by_its_events_id(
    headrace_worker: StartWorker, replay, headrace_client
):
    worker = headrace_worker(HEADRACE_LOG="json", HEADRACE_LOG_LEVEL="debug", HEADRACE_TRITON="127.0.0.1:9")
    bad = [raw("events", "ann", json.dumps(NO_ITEM).encode()), raw("items", "i", b'{"item_id": "nameless"}')]
    replay([item("i", title="A thing"), *bad, event("view", "ann", item_id="i", event_id="good")], wait=True)
    assert worker.stop() == 0
    lines = lines_of(worker)
    assert all(line["time"] and line["level"] and line["logger"] for line in lines)
    assert "headrace worker ready" in {line["message"] for line in lines}

    letters = {letter.key: letter for letter in headrace_client.received("dead.letters")}
    found = [(line["reason"], record) for line in lines for record in line.get("records", [])]
    expected = [
        ("missing_field", place_of(letters["i"]) | {"item_id": "nameless"}),
        ("missing_field", place_of(letters["ann"]) | {"event_id": "no-item", "user_id": "ann"}),
    ]
    assert sorted(found, key=str) == sorted(expected, key=str)  # of two pipelines, neither of which waits for the other
    logged = [(line["level"], line["message"]) for line in lines if "good" in line.get("event_ids", [])]
    assert logged == [("INFO", "outputs without the model"), ("DEBUG", "outputs emitted")]


def place_of(letter: Any) -> dict[str, Any]:
    headers = letter.headers
    return {
        "topic": headers["headrace.topic"],
        "partition": int(headers["headrace.partition"]),
        "offset": int(headers["headrace.offset"]),
    }


def test_what_stops_a_worker_is_json_too(headrace_worker: StartWorker):
    with pytest.raises(StackError) as ended:
        headrace_worker(HEADRACE_LOG="json", HEADRACE_REDIS="127.0.0.1:9")
    last = json.loads(str(ended.value).splitlines()[-1])
    assert last["message"].startswith("headrace: The online store at 127.0.0.1:9 does not answer")
