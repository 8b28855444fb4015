"""Rule 11: what raises in a pure step becomes that record's dead letter."""

from headrace.errors import Reason
from headrace.messages.decoding import request_decoders
from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from streams.pipeline.poison import PoisonRecord
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
