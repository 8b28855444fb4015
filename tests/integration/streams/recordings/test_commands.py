"""`tail` and `record` as processes: what they print, when they end, with which status."""

import json
import os
import signal
import subprocess
import sys
from uuid import uuid4

import pytest

from headrace.recording.reading import read_recording
from headrace.settings.model import Settings
from streams.recordings.traffic.replay import replay_records
from streams.testing import raw

COMMAND = [sys.executable, "-m", "headrace_cli"]


@pytest.fixture
def environment(kafka: str) -> dict[str, str]:
    return {**os.environ, "HEADRACE_KAFKA": kafka}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_tail_prints_json_lines_and_ends_in_silence(kafka, environment):
    mark = uuid4().hex
    replay_records(
        lambda: [
            raw("feature.log", mark, b'{"a": 1}'),
            raw("feature.log", mark, b"\xff"),
            raw("feature.log", mark, None),
        ],
        Settings(kafka=kafka),
    )
    done = run(environment, "tail", "feature.log", "--from-beginning", "--timeout", "2")
    lines = [line for line in map(json.loads, done.stdout.splitlines()) if line["key"] == mark]
    assert done.returncode == 0
    assert [line.get("value", line.get("value_base64")) for line in lines] == [{"a": 1}, "/w==", None]
    assert len(run(environment, "tail", "feature.log", "--from-beginning", "--max", "2").stdout.splitlines()) == 2


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_record_keeps_what_came_until_it_is_interrupted(kafka, environment, tmp_path, ending):
    out, mark = tmp_path / "s.jsonl", uuid4().hex
    replay_records(lambda: [raw("feature.log", mark, b'{"a": 1}')], Settings(kafka=kafka))
    process = subprocess.Popen(
        [*COMMAND, "record", "--topics", "feature.log", "--from-beginning", "--out", str(out), "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    process.stderr.readline()  # it listens
    process.send_signal(ending)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert json.loads(stdout.splitlines()[-1])["records"] == len(list(read_recording(out)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tail", "nowhere"), "there is no topic nowhere"),
        (("replay", "none.jsonl"), "FILE: cannot read none.jsonl"),
        (("replay", __file__, "--speed", "-1"), "--speed -1 is neither"),
        (("record", "--topics", ",", "--out", "x.jsonl"), "--topics needs"),
    ],
)
def test_wrong_input_ends_with_status_2_and_one_line(environment, arguments, message):
    done = run(environment, *arguments)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"headrace: {message}")
    assert "Traceback" not in done.stderr


def test_a_cluster_that_is_not_there_is_named(environment):
    done = run({**environment, "HEADRACE_KAFKA": "127.0.0.1:1"}, "tail", "events")
    assert done.returncode == 1
    assert "Kafka at 127.0.0.1:1" in done.stderr.splitlines()[-1]
