"""What the group's own topics say of where it comes from is believed only as far as it can be."""

import msgspec
import pytest

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.basics.fences import Fence
from feature_repo.items.scopes import scopes_of, series_key
from headrace.errors import Reason
from headrace.messages.decoding import request_decoders
from headrace.messages.internal import ItemImpression, ItemUpdate, ItemUpdateBatch, SeriesUpdate, Watermark
from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from headrace.topics import item_updates, rekeyed
from streams.kafka.transport import PartitionBatch, RawRecord
from streams.pipeline.items.decode import UpdateDecoder
from streams.pipeline.log_ends import highest
from streams.pipeline.shoppers.decode import claimed_positions, decode_batch, without_forged

PARTITIONS = 4
REQUESTS = request_decoders(Settings())
SETTINGS = Settings()
HOME = partition_of("u1", PARTITIONS)
NOW = 1_770_000_000_000
VIEW = msgspec.json.encode(
    {"event_id": "e", "type": "view", "user_id": "u1", "timestamp": 1_767_225_600_000, "item_id": "a"}
)
GOOD = {"topic": b"events", "partition": b"2", "offset": b"41"}


def rekeyed_chunk(**changed: bytes | None) -> PartitionBatch:
    headers = tuple((f"headrace.{name}", value) for name, value in {**GOOD, **changed}.items() if value is not None)
    topic = rekeyed(SETTINGS.group)
    return PartitionBatch(topic, HOME, [RawRecord(topic, HOME, 7, NOW, b"u1", VIEW, headers)])


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
    batch = rekeyed_chunk(**changed)
    decoded = decode_batch(batch, SETTINGS, PARTITIONS, REQUESTS)
    [refused] = decoded.rejected
    assert (decoded.accepted, decoded.misrouted) == ([], [])
    assert str(refused.position) == f"{batch.topic}/{HOME}/7"
    assert "sent to `events`" in refused.error.detail


def test_a_forwarded_event_counts_unless_it_stood_beyond_the_end_of_its_log():
    batch = rekeyed_chunk()
    decoded = decode_batch(batch, SETTINGS, PARTITIONS, REQUESTS)
    assert highest(claimed_positions(batch, decoded, SETTINGS)) == {("events", 2): 41}
    assert without_forged(batch, decoded, {("events", 2): 42}, SETTINGS).accepted == decoded.accepted
    beyond = without_forged(batch, decoded, {("events", 2): 41}, SETTINGS)
    assert beyond.accepted == []
    assert beyond.rejected[0].error.reason is Reason.OUT_OF_RANGE
    assert "events/2/41" in beyond.rejected[0].error.detail
    assert "ends at 41" in beyond.rejected[0].error.detail


def test_a_misplaced_event_that_stood_beyond_the_end_of_its_log_is_not_passed_on_either():
    batch = rekeyed_chunk(offset=b"%d" % 2**62)
    elsewhere = batch._replace(partition=(HOME + 1) % PARTITIONS)
    decoded = decode_batch(elsewhere, SETTINGS, PARTITIONS, REQUESTS)
    assert len(decoded.misrouted) == 1
    forged = without_forged(elsewhere, decoded, {("events", 2): 1_000}, SETTINGS)
    assert (forged.misrouted, len(forged.rejected)) == ([], 1)


DELTA = ItemUpdate(41, "a", ACTION_CODE["purchase"], NOW, 1, -1, False)
BATCH = ItemUpdateBatch("events/2", 2, [DELTA, ItemImpression(41, NOW, ["a"]), Watermark(41, NOW, idle=False)])
COUNTED = SeriesUpdate(41, "reviews", scopes_of([])[0], NOW, (1, -1), False, 7)
LATEST = NOW + SETTINGS.future + SETTINGS.window + 3_600_000 + SETTINGS.lateness  # a day may have 25 hours


def read(value: bytes | None, fence: int = -1):
    topic = item_updates(SETTINGS.group)
    passed = Fence()
    passed.advance(f"{topic}/0", fence)
    batch = PartitionBatch(topic, 0, [RawRecord(topic, 0, 9, NOW, None, value, ())])
    return UpdateDecoder(SETTINGS, PARTITIONS).decode(batch, passed)


@pytest.mark.parametrize(
    "batch",
    [
        BATCH,
        msgspec.structs.replace(BATCH, entries=[COUNTED, msgspec.structs.replace(COUNTED, key="a", shard=-1)]),
        msgspec.structs.replace(BATCH, origin=f"{rekeyed(SETTINGS.group)}/3"),
        ItemUpdateBatch("replay/1", 1, [Watermark(-1, LATEST, idle=True)]),
        ItemUpdateBatch("events/1", 1, [Watermark(-1, -1, idle=True)]),
    ],
)
def test_what_workers_and_replays_send_is_read(batch):
    found = read(msgspec.msgpack.encode(batch))
    assert [one.batch for one in found.decoded] == [batch]
    assert found.rejected == []


def test_what_the_fence_has_passed_is_read_no_more():
    assert read(b"\xff", fence=9) == ([], [])


@pytest.mark.parametrize("value", [None, b"", b"\xff", b"{}", msgspec.msgpack.encode([1, 2]), b"\x93\xa1\xff\x00\x90"])
def test_what_is_no_item_batch_is_refused(value):
    found = read(value)
    assert found.decoded == []
    assert [refused.error.reason for refused in found.rejected] == [Reason.WRONG_TYPE]


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
        msgspec.structs.replace(BATCH, entries=[ItemImpression(-1, NOW, ["a"])]),
        msgspec.structs.replace(BATCH, entries=[ItemImpression(0, LATEST + 1, ["a"])]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, timestamp=2**62)]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, action=99)]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, quantity=2**62)]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, price_cents=2**62)]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, shard=8)]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, shard=0)]),
        msgspec.structs.replace(
            BATCH, entries=[msgspec.structs.replace(DELTA, item_id=series_key("reviews", "a"), shard=0)]
        ),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(COUNTED, shard=8)]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(COUNTED, key="a")]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(COUNTED, counts=(2**62, 0))]),
        msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(COUNTED, offset=-1)]),
    ],
)
def test_a_batch_that_no_worker_can_have_sent_is_refused(batch):
    found = read(msgspec.msgpack.encode(batch))
    assert found.decoded == []
    assert [refused.error.reason for refused in found.rejected] == [Reason.OUT_OF_RANGE]


def test_a_batch_counts_unless_its_cause_lies_beyond_the_end_of_its_log():
    forged = msgspec.structs.replace(BATCH, entries=[msgspec.structs.replace(DELTA, offset=2**62)])
    found = read(msgspec.msgpack.encode(forged))
    assert highest(found.claims) == {("events", 2): 2**62}
    batches, refused = found.verify({("events", 2): 1_000})
    assert batches == []
    assert "ends at 1000" in refused[0].error.detail
    assert read(msgspec.msgpack.encode(BATCH)).verify({("events", 2): 42}) == ([BATCH], [])
