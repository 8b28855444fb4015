"""What is logged of a batch: few lines however many records, with the ids to find an event by, and no values."""

import json
import logging

import pytest

from headrace.messages.decoding import request_decoders
from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from streams.kafka.transport import Batch
from streams.pipeline import batch_log
from streams.pipeline.poison import PoisonRecord
from streams.pipeline.shoppers.build import Answered
from streams.pipeline.shoppers.decode import DecodedBatch, decode_batch
from streams.pipeline.shoppers.fold import PendingQuery
from streams.scenarios.recommend.scenario import RECOMMEND

PARTITIONS = 4
HOME = partition_of("u1", PARTITIONS)
VIEW = {"event_id": "e1", "type": "view", "user_id": "u1", "timestamp": 1_767_571_200_000, "item_id": "a"}
NO_ITEM = {name: value for name, value in VIEW.items() if name != "item_id"}


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, batch_log.logger.name)
    return caplog


def intake_of(batch) -> DecodedBatch:
    return decode_batch(batch, Settings(max_event_bytes=2_000), PARTITIONS, request_decoders(Settings()))


def queries_of(batch) -> list[PendingQuery]:
    return [PendingQuery(accepted, RECOMMEND, accepted.input, "id", None) for accepted in intake_of(batch).accepted]


def answers(queries: list[PendingQuery], fallbacks: list[str | None]) -> list[Answered]:
    return [Answered(one, "recommendations", fallback) for one, fallback in zip(queries, fallbacks, strict=True)]


def test_dead_letters_are_told_of_by_reason_with_place_and_ids(batch_of, logged):
    batch = batch_of(NO_ITEM, b"{", {**NO_ITEM, "event_id": "e2"}, partition=2, first=7)
    batch_log.dead_letters(intake_of(batch).rejected)
    by_reason = {line.reason: (line.count, line.records) for line in logged.records}
    place, ids = {"topic": "events", "partition": 2}, {"user_id": "u1"}
    assert by_reason == {
        "missing_field": (
            2,
            [{**place, "offset": 7, "event_id": "e1", **ids}, {**place, "offset": 9, "event_id": "e2", **ids}],
        ),
        "invalid_json": (1, [{**place, "offset": 8}]),
    }


def test_of_many_dead_letters_a_line_counts_all_and_shows_the_first_five(batch_of, logged):
    batch = batch_of(*({**NO_ITEM, "event_id": f"e{n}"} for n in range(1_000)))
    batch_log.dead_letters(intake_of(batch).rejected)
    [line] = logged.records
    assert line.count == 1_000
    assert [record["event_id"] for record in line.records] == ["e0", "e1", "e2", "e3", "e4"]


def test_nothing_of_a_refused_value_but_its_ids_is_told(batch_of, logged):
    secret = {**NO_ITEM, "query": "my illness", "text": "my address", "price": "secret", "context": {"age": 44}}
    batch_log.dead_letters(intake_of(batch_of(secret)).rejected)
    [line] = logged.records
    assert line.records == [{"topic": "events", "partition": 0, "offset": 0, "event_id": "e1", "user_id": "u1"}]
    assert line.getMessage() == "dead letters"


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        (None, {}),
        (b"", {}),
        (b"[1]", {}),
        (b'{"event_id": "\xff"}', {}),
        (b'{"event_id": 7, "user_id": "u1"}', {"user_id": "u1"}),
        (json.dumps({"event_id": "x" * 129, "user_id": "u1"}).encode(), {"user_id": "u1"}),
        (json.dumps({**VIEW, "text": "x" * 1_000_000}).encode(), {"event_id": "e1", "item_id": "a", "user_id": "u1"}),
        (b'{"request_id": "r1"}', {"request_id": "r1"}),
        (b'{"event_id": "e1", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}),
    ],
)
def test_ids_are_found_where_there_are_any(value: bytes | None, ids: dict[str, str]):
    assert batch_log.ids_in(value) == ids


def test_a_poisoned_event_is_told_of_with_its_id_its_place_and_what_was_raised(batch_of, logged):
    accepted = intake_of(batch_of(VIEW, partition=HOME, first=7)).accepted[0]
    batch_log.poison(PoisonRecord(accepted, ValueError("no such thing")))
    [line] = logged.records
    assert (line.levelname, line.reason, line.event_id, line.user_id) == ("ERROR", "processing_failed", "e1", "u1")
    assert (line.topic, line.partition, line.offset) == ("events", HOME, 7)
    assert "no such thing" in str(line.exc_info[1])


def test_answers_without_the_model_are_counted_once_a_load(batch_of, logged):
    batch = batch_of(*({**VIEW, "event_id": f"e{n}"} for n in range(9)), partition=HOME)
    queries = queries_of(batch)
    fallbacks = [None, "unknown_user", *["model_unavailable"] * 7]
    batch_log.answered(Batch([batch]), answers(queries, fallbacks))
    [line] = [line for line in logged.records if line.levelname == "INFO"]
    assert (line.count, line.event_ids) == (7, ["e2", "e3", "e4", "e5", "e6"])


def test_a_load_whose_answers_are_the_models_is_told_of_at_debug_alone(batch_of, logged):
    batch = batch_of(*({**VIEW, "event_id": f"e{n}"} for n in range(9)), partition=HOME, first=4)
    batch_log.answered(Batch([batch]), answers(queries_of(batch), [None] * 9))
    [line] = logged.records
    assert line.levelname == "DEBUG"
    assert line.event_ids == [f"e{n}" for n in range(9)]
    assert line.batches == [{"topic": "events", "partition": HOME, "first_offset": 4, "last_offset": 12}]


def test_a_load_that_is_given_up_is_told_of_with_its_offsets(batch_of, logged):
    batches = [Batch([batch_of(VIEW, VIEW, partition=p, first=10)]) for p in (0, 1)]
    batch_log.gave_up(batches, ValueError("once"), 1)
    [line] = logged.records
    assert (line.levelname, line.reason, line.failures) == ("INFO", "ValueError", 1)
    assert line.batches == [{"topic": "events", "partition": p, "first_offset": 10, "last_offset": 11} for p in (0, 1)]


def test_what_nobody_wants_to_read_is_not_made(batch_of, caplog: pytest.LogCaptureFixture, monkeypatch):
    made: list[str] = []
    caplog.set_level(logging.CRITICAL, batch_log.logger.name)
    for name in ("ids_in", "_names", "_ranges"):
        monkeypatch.setattr(batch_log, name, lambda *_, name=name: made.append(name))
    batch = batch_of(VIEW, partition=HOME)
    batch_log.dead_letters(intake_of(batch_of(b"{")).rejected)
    batch_log.answered(Batch([batch]), answers(queries_of(batch), ["model_unavailable"]))
    batch_log.gave_up([Batch([batch])], ValueError("once"), 1)
    assert made == []
