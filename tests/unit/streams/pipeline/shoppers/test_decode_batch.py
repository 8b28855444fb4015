"""Step 1: good, bad and misplaced records."""

from headrace.errors import Reason
from headrace.messages.decoding import request_decoders
from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from headrace.topics import rekeyed
from streams.kafka.transport import PartitionBatch, RawRecord
from streams.pipeline.shoppers.decode import RecordPosition, decode_batch

PARTITIONS = 4
REQUESTS = request_decoders(Settings())
NOW = 1_767_571_200_000
SETTINGS = Settings()
HOME = partition_of("u1", PARTITIONS)


def view(event_id: str = "e1", user_id: str = "u1") -> dict[str, object]:
    return {"event_id": event_id, "type": "view", "user_id": user_id, "timestamp": NOW, "item_id": "a"}


def test_good_records_keep_their_place(batch_of):
    decoded = decode_batch(batch_of(view("e1"), view("e2"), partition=HOME, first=7), SETTINGS, PARTITIONS, REQUESTS)
    assert [(t.input.event_id, t.position.offset) for t in decoded.accepted] == [("e1", 7), ("e2", 8)]
    assert decoded.accepted[0].position.origin == f"events/{HOME}"


def test_a_bad_record_is_refused_and_its_neighbours_are_not(batch_of):
    decoded = decode_batch(batch_of(view("e1"), b"{", view("e2"), partition=HOME), SETTINGS, PARTITIONS, REQUESTS)
    assert [t.input.event_id for t in decoded.accepted] == ["e1", "e2"]
    assert [(r.position.offset, r.error.reason) for r in decoded.rejected] == [(1, Reason.INVALID_JSON)]


def test_pairs_that_a_context_cannot_hold_are_counted_and_their_events_go_on(batch_of):
    odd = {"page": None, "ok": True, "tags": ["a"], "device": "phone"}
    decoded = decode_batch(
        batch_of(view("e1") | {"context": odd}, view("e2"), partition=HOME), SETTINGS, PARTITIONS, REQUESTS
    )
    assert [t.input.context for t in decoded.accepted] == [{"device": "phone"}, None]
    assert (decoded.rejected, decoded.skipped_context) == ([], ["page", "ok", "tags"])
    request = {"request_id": "r", "user_id": "u1", "timestamp": NOW, "items": ["a"], "context": {"x": []}}
    assert decode_batch(batch_of(request, topic="score.requests"), SETTINGS, PARTITIONS, REQUESTS).skipped_context == [
        "x"
    ]


def test_an_event_in_a_partition_that_does_not_own_its_shopper_is_misplaced(batch_of):
    elsewhere = (HOME + 1) % PARTITIONS
    decoded = decode_batch(batch_of(view(), partition=elsewhere), SETTINGS, PARTITIONS, REQUESTS)
    assert decoded.accepted == []
    assert [m.event.user_id for m in decoded.misrouted] == ["u1"]


def test_a_score_request_is_answered_wherever_it_is_found(batch_of):
    request = {"request_id": "r", "user_id": "u1", "timestamp": NOW, "items": ["a"]}
    batch = batch_of(request, topic="score.requests", partition=(HOME + 1) % PARTITIONS)
    decoded = decode_batch(batch, SETTINGS, PARTITIONS, REQUESTS)
    assert [t.input.request_id for t in decoded.accepted] == ["r"]


def test_a_forwarded_event_stands_where_its_producer_put_it(batch_of):
    plain = batch_of(view(), topic=rekeyed(SETTINGS.group), partition=HOME, first=3).records[0]
    origin = (
        ("headrace.topic", b"events"),
        ("headrace.partition", b"2"),
        ("headrace.offset", b"41"),
    )
    forwarded = RawRecord(*plain[:6], origin)
    batch = PartitionBatch(plain.topic, HOME, [forwarded])
    accepted = decode_batch(batch, SETTINGS, PARTITIONS, REQUESTS).accepted[0]
    assert accepted.position == RecordPosition("events", 2, 41)
    assert accepted.record.offset == 3
