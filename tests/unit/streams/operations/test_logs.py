"""A line of the log: text for people, or one JSON object for machines."""

import json
import logging
from collections.abc import Iterator

import pytest

from headrace.settings.model import LogForm
from streams.operations import logs


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name in ("streams", "feature_repo"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    logging.captureWarnings(False)


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]):
    def new() -> list[str]:
        return capsys.readouterr().err.splitlines()

    return new


def test_a_json_line_has_time_level_logger_message_and_the_fields_of_the_call(lines):
    logs.set_up(LogForm.JSON, logging.INFO)
    logging.getLogger("streams.x").warning("%d letters", 2, extra={"reason": "too_large", "records": [{"offset": 7}]})
    [line] = map(json.loads, lines())
    assert line.pop("time").endswith("+00:00")
    assert line.pop("pid") > 0
    assert line == {
        "level": "WARNING",
        "logger": "streams.x",
        "message": "2 letters",
        "reason": "too_large",
        "records": [{"offset": 7}],
    }


def test_times_are_utc_to_the_millisecond():
    record = logging.makeLogRecord({"created": 1_770_000_000.1234})
    assert json.loads(logs.JsonLines().format(record))["time"] == "2026-02-02T02:40:00.123+00:00"


def test_an_exception_is_text_in_one_field(lines):
    logs.set_up(LogForm.JSON, logging.INFO)
    try:
        raise ValueError("broken")
    except ValueError:
        logging.getLogger("streams.x").exception("it failed")
    [line] = map(json.loads, lines())
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("ValueError: broken")


def test_what_json_does_not_know_is_written_as_text():
    record = logging.makeLogRecord({"msg": "lone \udc80", "what": ValueError("no JSON"), "line": "two\nlines"})
    line = logs.JsonLines().format(record)
    assert line.isascii() and "\n" not in line
    assert json.loads(line) | {"what": "no JSON", "line": "two\nlines"} == json.loads(line)


def test_a_field_takes_no_standard_ones_place():
    record = logging.makeLogRecord({"msg": "said", "level": "feigned", "time": "never"})
    line = json.loads(logs.JsonLines().format(record))
    assert line["level"] != "feigned" and line["time"] != "never"


def test_text_has_the_fields_behind_the_message_and_in_one_line(lines):
    logs.set_up(LogForm.TEXT, logging.INFO)
    logging.getLogger("streams.x").info("left", extra={"event_id": "e1\n2026 INFO feigned"})
    logging.getLogger("streams.x").info("plain")
    left, plain = lines()
    assert left.endswith('INFO streams.x: left {"event_id": "e1\\n2026 INFO feigned"}')
    assert plain.endswith("INFO streams.x: plain")


@pytest.mark.parametrize(
    ("level", "logged"),
    [
        (logging.DEBUG, ["streams DEBUG", "streams INFO", "library INFO", "streams ERROR"]),
        (logging.INFO, ["streams INFO", "library INFO", "streams ERROR"]),
        (logging.ERROR, ["streams ERROR"]),
    ],
)
def test_a_level_is_that_of_headrace_and_libraries_never_say_more_than_info(lines, level: int, logged: list[str]):
    logs.set_up(LogForm.JSON, level)
    for name, of_line in (
        ("streams", "DEBUG"),
        ("library", "DEBUG"),
        ("streams", "INFO"),
        ("library", "INFO"),
        ("faust", "WARNING"),
        ("kafka", "CRITICAL"),
        ("streams", "ERROR"),
    ):
        logging.getLogger(name).log(logs.level_number(of_line), "said")
    assert [f"{line['logger']} {line['level']}" for line in map(json.loads, lines())] == logged


def test_what_programs_wait_for_is_a_plain_line_or_a_message_at_any_level(lines):
    logs.set_up(LogForm.TEXT, logging.ERROR)
    logs.report("worker ready", LogForm.TEXT)
    assert lines() == ["worker ready"]
    logs.set_up(LogForm.JSON, logging.ERROR)
    logs.report("worker ready", LogForm.JSON)
    [line] = lines()
    assert json.loads(line)["message"] == "worker ready"


def test_what_stops_a_worker_is_shown_with_its_trace(lines):
    failure = ValueError("broken")
    logs.report("headrace: broken", LogForm.TEXT, logging.ERROR, failure)
    assert lines() == ["ValueError: broken", "headrace: broken"]
    logs.report("headrace: broken", LogForm.JSON, logging.ERROR, failure)
    [line] = map(json.loads, lines())
    assert (line["level"], line["message"]) == ("ERROR", "headrace: broken")
    assert line["exception"] == "ValueError: broken"
