"""What the group's own topics say of where it comes from is believed only as far as it can be."""

import msgspec
import pytest

from feature_repo.actions import ACTION_CODE
from feature_repo.fences import Fence
from streams.engine.intake import claims, take_in, without_forged
from streams.engine.item_reading import BatchReading
from streams.engine.origins import highest
from streams.engine.partitions import partition_of
from streams.errors import Reason
from streams.messages.internal import ItemBatch, ItemDelta, Shown, Watermark
from streams.settings import Settings
from streams.topics import item_deltas, rekeyed
from streams.transport import RawRecord, RecordChunk

PARTITIONS = 4
SETTINGS = Settings()
HOME = partition_of("u1", PARTITIONS)
NOW = 1_770_000_000_000
VIEW = msgspec.json.encode(
    {"event_id": "e", "type": "view", "user_id": "u1", "timestamp": 1_767_225_600_000, "item_id": "a"}
)
GOOD = {"topic": b"events", "partition": b"2", "offset": b"41"}


def rekeyed_chunk(**changed: bytes | None) -> RecordChunk:
    headers = tuple((f"headrace.{name}", value) for name, value in {**GOOD, **changed}.items() if value is not None)
    topic = rekeyed(SETTINGS.group)
    return RecordChunk(topic, HOME, [RawRecord(topic, HOME, 7, NOW, b"u1", VIEW, headers)])


@pytest.mark.parametrize(
    "changed",
    [
        {"topic": None},
        {"partition": None},
        {"offset": None},
        {"topic": b""},
        {"topic": b"\xff"},
        {"topic": b"orders"},
        {"partition": b"4"},
        {"partition": b"-1"},
        {"partition": b"two"},
        {"offset": b""},
        {"offset": b"1e3"},
        {"offset": b"-1"},
        {"offset": b"9" * 5_000},
    ],
)
def test_a_record_that_no_worker_can_have_forwarded_is_refused_where_it_was_found(changed):
    chunk = rekeyed_chunk(**changed)
    intake = take_in(chunk, SETTINGS, PARTITIONS)
    [refused] = intake.refused
    assert (intake.taken, intake.misplaced) == ([], [])
    assert str(refused.place) == f"{chunk.topic}/{HOME}/7"
    assert "sent to `events`" in refused.why.detail


def test_a_forwarded_event_counts_unless_it_stood_beyond_the_end_of_its_log():
    chunk = rekeyed_chunk()
    intake = take_in(chunk, SETTINGS, PARTITIONS)
    assert highest(claims(chunk, intake, SETTINGS)) == {("events", 2): 41}
    assert without_forged(chunk, intake, {("events", 2): 42}, SETTINGS).taken == intake.taken
    beyond = without_forged(chunk, intake, {("events", 2): 41}, SETTINGS)
    assert beyond.taken == []
    assert beyond.refused[0].why.reason is Reason.OUT_OF_RANGE
    assert "events/2/41" in beyond.refused[0].why.detail
    assert "ends at 41" in beyond.refused[0].why.detail


def test_a_misplaced_event_that_stood_beyond_the_end_of_its_log_is_not_passed_on_either():
    chunk = rekeyed_chunk(offset=b"%d" % 2**62)
    elsewhere = chunk._replace(partition=(HOME + 1) % PARTITIONS)
    intake = take_in(elsewhere, SETTINGS, PARTITIONS)
    assert len(intake.misplaced) == 1
    forged = without_forged(elsewhere, intake, {("events", 2): 1_000}, SETTINGS)
    assert (forged.misplaced, len(forged.refused)) == ([], 1)


DELTA = ItemDelta(41, "a", ACTION_CODE["purchase"], NOW, 1, -1, False)
BATCH = ItemBatch("events/2", 2, [DELTA, Shown(41, NOW, ["a"]), Watermark(41, NOW, idle=False)])
LATEST = NOW + SETTINGS.future + SETTINGS.window + 3_600_000 + SETTINGS.lateness  # a day may have 25 hours


def read(value: bytes | None, fence: int = -1):
    topic = item_deltas(SETTINGS.group)
    passed = Fence()
    passed.advance(f"{topic}/0", fence)
    chunk = RecordChunk(topic, 0, [RawRecord(topic, 0, 9, NOW, None, value, ())])
    return BatchReading(SETTINGS, PARTITIONS).decode(chunk, passed)


@pytest.mark.parametrize(
    "batch",
    [
        BATCH,
        msgspec.structs.replace(BATCH, origin=f"{rekeyed(SETTINGS.group)}/3"),
        ItemBatch("replay/1", 1, [Watermark(-1, LATEST, idle=True)]),
        ItemBatch("events/1", 1, [Watermark(-1, -1, idle=True)]),
    ],
)
def test_what_workers_and_replays_send_is_read(batch):
    found = read(msgspec.msgpack.encode(batch))
    assert [one.batch for one in found.decoded] == [batch]
    assert found.refused == []


def test_what_the_fence_has_passed_is_read_no_more():
    assert read(b"\xff", fence=9) == ([], [])


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"{}", msgspec.msgpack.encode([1, 2]), b"\x93\xa1\xff\x00\x90"])
def test_what_is_no_item_batch_is_refused(value):
    found = read(value)
    assert found.decoded == []
    assert [refused.why.reason for refused in found.refused] == [Reason.WRONG_TYPE]


@pytest.mark.parametrize(
    "batch",
    [
        msgspec.structs.replace(BATCH, origin="events/4"),
        msgspec.structs.replace(BATCH, origin="events/x"),
        msgspec.structs.replace(BATCH, origin="headrace.other.rekeyed/1"),
        msgspec.structs.replace(BATCH, origin="replay/1"),
        msgspec.structs.replace(BATCH, origin=""),
        msgspec.structs.replace(BATCH, source=4),
        msgspec.structs.replace(BATCH, source=-1),
        msgspec.structs.replace(BATCH, entries=[Watermark(0, LATEST + 1, idle=False)]),
        msgspec.structs.replace(BATCH, entries=[Shown(-1, NOW, ["a"])]),
        msgspec.structs.replace(BATCH, entries=[Shown(0, LATEST + 1, ["a"])]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, timestamp=2**62)]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, action=99)]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, quantity=2**62)]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, price_cents=2**62)]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, shard=8)]),
    ],
)
def test_a_batch_that_no_worker_can_have_sent_is_refused(batch):
    found = read(msgspec.msgpack.encode(batch))
    assert found.decoded == []
    assert [refused.why.reason for refused in found.refused] == [Reason.OUT_OF_RANGE]


def test_a_batch_counts_unless_its_cause_lies_beyond_the_end_of_its_log():
    forged = msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, offset=2**62)])
    found = read(msgspec.msgpack.encode(forged))
    assert highest(found.claims) == {("events", 2): 2**62}
    batches, refused = found.hold_against({("events", 2): 1_000})
    assert batches == []
    assert "ends at 1000" in refused[0].why.detail
    assert read(msgspec.msgpack.encode(BATCH)).hold_against({("events", 2): 42}) == ([BATCH], [])
