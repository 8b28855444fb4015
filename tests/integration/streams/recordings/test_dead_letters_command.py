"""`headrace dead-letters` shows what was refused, and sends back what would be taken now."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kafka import KafkaProducer

from streams.testing import Client, Stack

VIEW = {"event_id": "v", "type": "view", "user_id": "ann", "timestamp": 1_770_000_000_000, "item_id": "i"}
WITHOUT_ITEM = {name: value for name, value in VIEW.items() if name != "item_id"}

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def dead_letters(headrace_stack: Stack) -> Command:
    def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "headrace_cli", "dead-letters", *map(str, words)],
            env={**dict(headrace_stack.environment("headrace")), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


@pytest.fixture
def reason(headrace_stack: Stack) -> str:
    """A reason of the test's own, so that other tests' letters are not in the way; one letter came twice."""
    name = f"reason_{uuid4().hex[:8]}"
    producer = KafkaProducer(bootstrap_servers=headrace_stack.kafka)
    for value, offset in ((VIEW, 0), (WITHOUT_ITEM, 1), (WITHOUT_ITEM, 1)):
        place = {"topic": "events", "partition": "0", "offset": str(offset), "id": f"events/{name}/{offset}"}
        headers = {**place, "reason": name, "detail": "it did not please"}
        producer.send(
            "dead.letters",
            json.dumps(value).encode(),
            key=b"ann",
            headers=[(f"headrace.{title}", text.encode()) for title, text in headers.items()],
        )
    producer.flush()
    producer.close()
    return name


def result(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    return json.loads(done.stdout.splitlines()[-1])


def test_each_letter_is_counted_once_by_reason_and_shown(dead_letters: Command, reason: str):
    assert result(dead_letters("list", "--reason", reason, "--json")) == {"dead_letters": 2, "by_reason": {reason: 2}}
    shown = dead_letters("list", "--reason", reason)
    assert f"events/{reason}/1  it did not please" in shown.stdout + shown.stderr


def test_what_would_be_taken_goes_back_and_the_rest_is_told(
    dead_letters: Command, reason: str, headrace_stack: Stack, headrace_group: str
):
    with Client(headrace_stack.settings(headrace_group), ["events"]) as client:
        done = dead_letters("replay", "--reason", reason, "--json")
        assert result(done) == {"sent": 1, "refused": 1, "sent_before": 0}
        assert done.returncode == 1
        assert "missing_field" in done.stderr
        [event] = client.received("events", lambda m: m.key == "ann")
        assert event.value == VIEW


def test_letters_mended_by_hand_go_back_to_their_topic(
    dead_letters: Command, reason: str, headrace_stack: Stack, headrace_group: str, tmp_path: Path
):
    letters = tmp_path / "letters.jsonl"
    dead_letters("list", "--reason", reason, "--out", letters)
    lines = [json.loads(line) for line in letters.read_text().splitlines()]
    assert [line["value"] for line in lines] == [VIEW, WITHOUT_ITEM]
    lines[1]["value"]["item_id"] = "mended"
    letters.write_text("".join(json.dumps(line) + "\n" for line in lines))
    with Client(headrace_stack.settings(headrace_group), ["events"]) as client:
        done = dead_letters("replay", letters, "--json")
        assert (done.returncode, result(done)) == (0, {"sent": 2, "refused": 0, "sent_before": 0})
        items = {message.value["item_id"] for message in client.received("events", lambda m: m.key == "ann")}
        assert items == {"i", "mended"}


def test_what_was_sent_back_is_not_listed_again_nor_sent_twice(
    dead_letters: Command, reason: str, headrace_stack: Stack, headrace_group: str, tmp_path: Path
):
    """Each command is a process of its own with a home of its own: what is known of letters is known to the cluster."""
    letters = tmp_path / "letters.jsonl"
    dead_letters("list", "--reason", reason, "--out", letters)
    with Client(headrace_stack.settings(headrace_group), ["events"]) as client:
        assert result(dead_letters("replay", "--reason", reason, "--json"))["sent"] == 1
        left = result(dead_letters("list", "--reason", reason, "--json"))
        assert left == {"dead_letters": 1, "by_reason": {reason: 1}}
        assert f"events/{reason}/1 " in dead_letters("list", "--reason", reason).stderr
        again = dead_letters("replay", "--reason", reason, "--json")
        assert result(again) == {"sent": 0, "refused": 1, "sent_before": 0}

        lines = [json.loads(line) for line in letters.read_text().splitlines()]
        assert [line["headers"]["headrace.id"] for line in lines] == [f"events/{reason}/{n}" for n in (0, 1)]
        lines[1]["value"]["item_id"] = "mended"
        letters.write_text("".join(json.dumps(line) + "\n" for line in lines))
        assert result(dead_letters("replay", letters, "--json")) == {"sent": 1, "refused": 0, "sent_before": 1}
        assert result(dead_letters("list", "--reason", reason, "--json"))["dead_letters"] == 0
        assert "nothing was refused" in dead_letters("list", "--reason", reason).stderr
        found = client.received("events", lambda m: m.key == "ann")
    assert sorted(message.value["item_id"] for message in found) == ["i", "mended"]
    assert {name for message in found for name in message.headers if name.startswith("headrace.")} == set()


def test_a_line_that_names_no_letter_is_sent_and_its_letter_stays(dead_letters: Command, reason: str, tmp_path: Path):
    letters = tmp_path / "letters.jsonl"
    dead_letters("list", "--reason", reason, "--out", letters)
    line = json.loads(letters.read_text().splitlines()[0])
    del line["headers"]
    letters.write_text(json.dumps(line) + "\n")
    done = dead_letters("replay", letters)
    assert "1 of them name no letter" in done.stderr
    assert result(dead_letters("list", "--reason", reason, "--json"))["dead_letters"] == 2
