"""Rule 11: what raises in a pure step becomes that record's dead letter."""

from itertools import count

import pytest

from headrace.errors import Reason, ScenarioFailed
from headrace.messages.decoding import request_decoders
from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from streams.pipeline.poison import PoisonRecord, PoisonRecords
from streams.pipeline.shoppers.decode import decode_batch

PARTITIONS = 4
REQUESTS = request_decoders(Settings())
HOME = partition_of("u1", PARTITIONS)
VIEW = {"event_id": "e1", "type": "view", "user_id": "u1", "timestamp": 1_767_571_200_000, "item_id": "a"}


def test_the_record_is_refused_with_its_bytes_its_place_and_what_was_raised(batch_of):
    batch = batch_of(VIEW, {**VIEW, "event_id": "e2"}, partition=HOME, first=7)
    accepted = decode_batch(batch, Settings(), PARTITIONS, REQUESTS).accepted[1]
    refused = PoisonRecord(accepted, ValueError("no such thing")).rejected()
    assert refused.record == batch.records[1]
    assert str(refused.position) == f"events/{HOME}/8"
    assert refused.error.reason is Reason.PROCESSING_FAILED
    assert refused.error.detail == "processing raised ValueError: no such thing"


def test_a_long_error_leaves_room_for_the_record(batch_of):
    accepted = decode_batch(batch_of(VIEW, partition=HOME), Settings(), PARTITIONS, REQUESTS).accepted[0]
    detail = PoisonRecord(accepted, ValueError("x" * 262_144)).rejected().error.detail
    assert detail.startswith("processing raised ValueError: xxx")
    assert len(detail) < 1_000


def test_a_scenario_that_raises_is_named_in_the_dead_letter(batch_of):
    accepted = decode_batch(batch_of(VIEW, partition=HOME), Settings(), PARTITIONS, REQUESTS).accepted[0]
    failure = ScenarioFailed("cart_reminder", "fold", ValueError("no cart"))
    assert PoisonRecord(accepted, failure).rejected().error.detail == (
        "scenario cart_reminder: its fold raised ValueError: no cart"
    )


@pytest.mark.parametrize(("apart_s", "off"), [(1.0, "cart_reminder"), (4.0, None)])
def test_a_scenario_is_off_when_it_raises_on_record_after_record(batch_of, apart_s: float, off: str | None):
    accepted = decode_batch(batch_of(VIEW, partition=HOME), Settings(), PARTITIONS, REQUESTS).accepted[0]
    now = iter(count(0.0, apart_s))
    records = PoisonRecords(lambda: next(now))
    poison = PoisonRecord(accepted, ScenarioFailed("cart_reminder", "fold", ValueError("no cart")))
    noted = [records.note(poison) for _ in range(20)]
    assert noted == [None] * 19 + [off]


def test_what_no_scenario_raised_turns_none_off(batch_of):
    accepted = decode_batch(batch_of(VIEW, partition=HOME), Settings(), PARTITIONS, REQUESTS).accepted[0]
    records = PoisonRecords(lambda: 0.0)
    assert {records.note(PoisonRecord(accepted, ValueError("odd"))) for _ in range(50)} == {None}


def test_a_poison_record_is_rejected_until_its_dead_letter_is_out(batch_of):
    batch = batch_of(VIEW, partition=HOME)
    decoded = decode_batch(batch, Settings(), PARTITIONS, REQUESTS)
    records = PoisonRecords(lambda: 0.0)
    records.note(PoisonRecord(decoded.accepted[0], ValueError("odd")))
    rejected = records.reject(batch, decoded)
    assert (rejected.accepted, [one.record for one in rejected.rejected]) == ([], [decoded.accepted[0].record])
    records.forget(rejected.rejected)
    assert records.reject(batch, decoded) == decoded
