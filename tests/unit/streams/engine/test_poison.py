"""Rule 11: what raises in a pure step becomes that record's dead letter."""

from streams.engine.intake import take_in
from streams.engine.partitions import partition_of
from streams.engine.poison import Poisoned
from streams.errors import Reason
from streams.settings import Settings

PARTITIONS = 4
HOME = partition_of("u1", PARTITIONS)
VIEW = {"event_id": "e1", "type": "view", "user_id": "u1", "timestamp": 1_767_571_200_000, "item_id": "a"}


def test_the_record_is_refused_with_its_bytes_its_place_and_what_was_raised(chunk_of):
    chunk = chunk_of(VIEW, {**VIEW, "event_id": "e2"}, partition=HOME, first=7)
    taken = take_in(chunk, Settings(), PARTITIONS).taken[1]
    refused = Poisoned(taken, ValueError("no such thing")).refused()
    assert refused.record == chunk.records[1]
    assert str(refused.place) == f"events/{HOME}/8"
    assert refused.why.reason is Reason.PROCESSING_FAILED
    assert refused.why.detail == "processing raised ValueError: no such thing"


def test_a_long_error_leaves_room_for_the_record(chunk_of):
    taken = take_in(chunk_of(VIEW, partition=HOME), Settings(), PARTITIONS).taken[0]
    detail = Poisoned(taken, ValueError("x" * 262_144)).refused().why.detail
    assert detail.startswith("processing raised ValueError: xxx")
    assert len(detail) < 1_000
