"""Each check of `validate` fails, or warns, on the stream that breaks it and on no other."""

import gzip
import json

import pytest
import zstandard

from headrace.settings.model import Settings
from headrace_cli import app
from headrace_cli.shell.command_line import run
from streams.recordings.validation.validate import validate_recording
from streams.recordings.validation.validation_report import Status

NOW = 1_767_571_200_000
ITEM = {"topic": "items", "key": "i1", "timestamp": NOW, "value": {"item_id": "i1", "title": "Tin"}}


def event(number: int, key: str = "u1", **fields) -> dict:
    value = {"event_id": f"e{number}", "type": "view", "user_id": "u1", "timestamp": NOW + number, "item_id": "i1"}
    return {"topic": "events", "key": key, "timestamp": NOW + number, "value": value | fields}


def shown(number: int) -> dict:
    return event(number, type="impression", items=["i1"], request_id="r1")


def statuses(tmp_path, *lines) -> dict[str, Status]:
    path = tmp_path / "s.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    found = validate_recording(path, now_ms=NOW + 1_000, settings=Settings())
    assert found.ok == all(check.status is not Status.FAIL for check in found.checks)
    return {check.check: check.status for check in found.checks if check.status is not Status.PASS}


SOUND = (ITEM, shown(1), event(2, type="click", request_id="r1"))
FEW = {"enough to train": Status.WARN}


def test_a_sound_stream_passes(tmp_path):
    assert statuses(tmp_path, *SOUND) == FEW


@pytest.mark.parametrize(
    ("extra", "check", "status"),
    [
        ("nonsense", "lines", Status.FAIL),
        (event(3, quantity=-1), "contract", Status.FAIL),
        (event(3, timestamp=NOW // 1_000), "contract", Status.FAIL),
        ({**ITEM, "value": ITEM["value"] | {"timestamp": NOW // 1_000}, "timestamp": NOW + 3}, "contract", Status.FAIL),
        ({**event(3), "timestamp": NOW // 1_000}, "record times", Status.WARN),
        (event(3, context={"page": None, "device": "phone"}), "context", Status.WARN),
        (event(-5), "time order", Status.FAIL),
        (event(3, event_id="e2"), "event ids", Status.FAIL),
        (event(2, type="click", request_id="r1"), "retries", Status.WARN),
        (event(3, key="other"), "keys", Status.WARN),
        (event(3, item_id="unknown"), "catalogue", Status.WARN),
        (event(3, type="click", request_id="unknown"), "clicks", Status.WARN),
        (event(3, timestamp=NOW), "event time", Status.WARN),
        ({**event(3), "topic": "recommendations"}, "topics", Status.WARN),
    ],
)
def test_a_breach_is_found(tmp_path, extra, check, status):
    found = statuses(tmp_path, *SOUND, extra)
    assert found[check] is status


def test_items_after_their_events_fail(tmp_path):
    assert statuses(tmp_path, shown(0), {**ITEM, "timestamp": NOW + 5})["items first"] is Status.FAIL


@pytest.mark.parametrize("name", ["s.jsonl", "s.jsonl.gz", "s.jsonl.zst"])
@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_an_empty_file_fails_and_is_called_empty(tmp_path, capsys, name, content):
    path = tmp_path / name
    compress = {".gz": gzip.compress, ".zst": zstandard.compress}.get(path.suffix, bytes)
    path.write_bytes(compress(content) if content else b"")
    with pytest.raises(SystemExit) as ended:
        run(app, ["validate", str(path), "--json"])
    printed = capsys.readouterr()
    assert ended.value.code == 1
    assert printed.err.splitlines()[-1] == f"headrace: {path} is empty: it holds no record"
    found = json.loads(printed.out.splitlines()[-1])
    assert (found["ok"], found["records"]) == (False, 0)
    assert [(check["check"], check["status"]) for check in found["checks"]] == [("records", "FAIL")]


def test_a_file_without_an_event_is_not_called_empty(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(ITEM) + "\n")
    found = validate_recording(path, now_ms=NOW + 1_000, settings=Settings())
    assert (found.ok, found.empty) == (False, False)


def test_examples_name_the_line(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(event(1, type="wish")) + "\n")
    found = validate_recording(path, now_ms=NOW + 1_000, settings=Settings())
    [contract] = [check for check in found.checks if check.check == "contract"]
    assert contract.examples[0].startswith("line 1: unknown_type: The field `type`")


def test_an_epoch_in_seconds_is_named(tmp_path):
    path = tmp_path / "s.jsonl"
    path.write_text(json.dumps(event(1, timestamp=NOW // 1_000)))
    found = validate_recording(path, now_ms=NOW + 1_000, settings=Settings())
    contract = next(check for check in found.checks if check.check == "contract")
    assert not found.ok
    assert "is 1767571200 in seconds? ms since 1970 UTC are wanted" in contract.examples[0]
