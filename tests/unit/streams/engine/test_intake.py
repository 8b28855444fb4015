"""Step 1: good, bad and misplaced records."""

from streams.engine.intake import Place, take_in
from streams.engine.partitions import partition_of
from streams.errors import Reason
from streams.settings import Settings
from streams.topics import rekeyed
from streams.transport import RawRecord, RecordChunk

PARTITIONS = 4
NOW = 1_767_571_200_000
SETTINGS = Settings()
HOME = partition_of("u1", PARTITIONS)


def view(event_id: str = "e1", user_id: str = "u1") -> dict[str, object]:
    return {"event_id": event_id, "type": "view", "user_id": user_id, "timestamp": NOW, "item_id": "a"}


def test_good_records_keep_their_place(chunk_of):
    intake = take_in(chunk_of(view("e1"), view("e2"), partition=HOME, first=7), SETTINGS, PARTITIONS)
    assert [(t.cause.event_id, t.place.offset) for t in intake.taken] == [("e1", 7), ("e2", 8)]
    assert intake.taken[0].place.origin == f"events/{HOME}"


def test_a_bad_record_is_refused_and_its_neighbours_are_not(chunk_of):
    intake = take_in(chunk_of(view("e1"), b"{", view("e2"), partition=HOME), SETTINGS, PARTITIONS)
    assert [t.cause.event_id for t in intake.taken] == ["e1", "e2"]
    assert [(r.place.offset, r.why.reason) for r in intake.refused] == [(1, Reason.INVALID_JSON)]


def test_pairs_that_a_context_cannot_hold_are_counted_and_their_events_go_on(chunk_of):
    odd = {"page": None, "ok": True, "tags": ["a"], "device": "phone"}
    intake = take_in(chunk_of(view("e1") | {"context": odd}, view("e2"), partition=HOME), SETTINGS, PARTITIONS)
    assert [t.cause.context for t in intake.taken] == [{"device": "phone"}, None]
    assert (intake.refused, intake.left_out) == ([], ["page", "ok", "tags"])
    request = {"request_id": "r", "user_id": "u1", "timestamp": NOW, "items": ["a"], "context": {"x": []}}
    assert take_in(chunk_of(request, topic="score.requests"), SETTINGS, PARTITIONS).left_out == ["x"]


def test_an_event_in_a_partition_that_does_not_own_its_shopper_is_misplaced(chunk_of):
    elsewhere = (HOME + 1) % PARTITIONS
    intake = take_in(chunk_of(view(), partition=elsewhere), SETTINGS, PARTITIONS)
    assert intake.taken == []
    assert [m.event.user_id for m in intake.misplaced] == ["u1"]


def test_a_score_request_is_answered_wherever_it_is_found(chunk_of):
    request = {"request_id": "r", "user_id": "u1", "timestamp": NOW, "items": ["a"]}
    chunk = chunk_of(request, topic="score.requests", partition=(HOME + 1) % PARTITIONS)
    intake = take_in(chunk, SETTINGS, PARTITIONS)
    assert [t.cause.request_id for t in intake.taken] == ["r"]


def test_a_forwarded_event_stands_where_its_producer_put_it(chunk_of):
    plain = chunk_of(view(), topic=rekeyed(SETTINGS.group), partition=HOME, first=3).records[0]
    origin = (
        ("headrace.topic", b"events"),
        ("headrace.partition", b"2"),
        ("headrace.offset", b"41"),
    )
    forwarded = RawRecord(*plain[:6], origin)
    chunk = RecordChunk(plain.topic, HOME, [forwarded])
    taken = take_in(chunk, SETTINGS, PARTITIONS).taken[0]
    assert taken.place == Place("events", 2, 41)
    assert taken.record.offset == 3
