"""Run every check over a recorded stream."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from headrace.errors import BadRecord, UsageError
from headrace.messages.decoding import Decode, decode_event, decode_item, request_decoders
from headrace.recording.reading import Record, parse_line, read_lines
from headrace.settings.model import Settings
from headrace.topics import Topic, topics_of
from streams.recordings import OnProgress, no_progress
from streams.recordings.validation.checks import Message, all_checks
from streams.recordings.validation.validation_report import Result, Status, Tally, Validation

_REPORT_EVERY: Final = 5_000
_IN_SECONDS: Final = "records lie before HEADRACE_PAST: are their times in seconds? ms since 1970 UTC are wanted"


def validate_recording(
    path: Path, *, now_ms: int, settings: Settings, on_progress: OnProgress = no_progress
) -> Validation:
    """Check a recorded stream as if it were replayed at `now_ms` (ms since 1970 UTC).

    Raises:
        UsageError: the file cannot be read.
    """
    unparsed, foreign, early = Tally(), Tally(), Tally()
    tallies = _Tallies()
    topics: Counter[str] = Counter()
    checks = all_checks()
    inputs = topics_of(settings).inputs
    requests = request_decoders(settings)
    timestamp = 0
    for number, line in read_lines(path):
        place = f"line {number}"
        if number % _REPORT_EVERY == 0:
            on_progress(number, 0)
        try:
            record = parse_line(line, timestamp)
        except UsageError as error:
            unparsed.add(f"{place}: {error}")
            continue
        timestamp = record.timestamp
        topics[record.topic] += 1
        if record.topic not in inputs:
            foreign.add(f"{place}: {record.topic}")
        if record.timestamp < settings.past:
            early.add(f"{place}: {record.timestamp}")
        message = _decode(record, place, now_ms, settings, tallies, requests)
        for check in checks:
            check.see(place, record, message)
    if not topics and not unparsed.count:
        return Validation(False, 0, [Result("records", Status.FAIL, "the file is empty: it holds no record")])
    results = [
        _has_records(topics),
        unparsed.result("lines", "every line is a record", "lines are no records"),
        tallies.broken.result("contract", "every value keeps the contract", "values break the contract"),
        tallies.skipped.result("context", "every pair is used", "context pairs are left out", otherwise=Status.WARN),
        early.result("record times", "all lie past HEADRACE_PAST", _IN_SECONDS, otherwise=Status.WARN),
        foreign.result("topics", "inputs only", "records are of no input topic", otherwise=Status.WARN),
        *(result for check in checks for result in check.results()),
    ]
    ok = all(result.status is not Status.FAIL for result in results)
    return Validation(ok, topics.total(), results)


class _Tallies:
    """What decoders say of the values."""

    def __init__(self) -> None:
        self.broken, self.skipped = Tally(), Tally()


def _decode(
    record: Record, place: str, now_ms: int, settings: Settings, tallies: _Tallies, requests: Mapping[str, Decode]
) -> Message:
    def on_skipped(name: str) -> None:
        tallies.skipped.add(f"{place}: {name!r}, neither text nor a number")

    key = None if record.key is None else record.key.encode("utf-8", "surrogateescape")
    try:
        match record.topic:
            case Topic.EVENTS:
                return decode_event(record.value, appended_ms=now_ms, settings=settings, on_skipped=on_skipped)
            case Topic.ITEMS:
                return decode_item(key, record.value, appended_ms=now_ms, settings=settings)
            case topic if topic in requests:
                return requests[topic](record.value, appended_ms=now_ms, settings=settings, on_skipped=on_skipped)
            case _:
                return None
    except BadRecord as error:
        tallies.broken.add(f"{place}: {error}")
        return None


def _has_records(topics: Counter[str]) -> Result:
    counts = ", ".join(f"{count} on {topic}" for topic, count in sorted(topics.items()))
    if topics[Topic.EVENTS] == 0:
        return Result("records", Status.FAIL, f"no record on events ({counts or 'none on any topic'})")
    return Result("records", Status.PASS, counts)
