"""Rules 1, 10 and 13: where a batch's messages go, and under which ids."""

import pytest
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NotLeaderForPartitionError,
    OutOfOrderSequenceNumber,
    ProducerFenced,
    TopicAuthorizationFailedError,
)

from headrace.messages.decoding import request_decoders
from headrace.messages.internal import Watermark
from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from headrace.topics import MAX_MESSAGE_BYTES, Topic, rekeyed
from infra.topics.check import Outputs
from streams.kafka.transport import PartitionBatch
from streams.pipeline.emit import Message, Outbox, by_target_partition, is_transient
from streams.pipeline.shoppers.decode import RecordPosition, Rejected, decode_batch

PARTITIONS = 4
REQUESTS = request_decoders(Settings())
SETTINGS = Settings()
HOME = partition_of("u1", PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS
VIEW = {"event_id": "e1", "type": "view", "user_id": "u1", "timestamp": 1_767_571_200_000, "item_id": "a"}


def test_a_dead_letters_id_is_the_place_of_its_record(batch_of):
    batch = batch_of(b"{", b"{", partition=3, first=41)
    outbox = Outbox(SETTINGS, PARTITIONS)
    for refused in decode_batch(batch, SETTINGS, PARTITIONS, REQUESTS).rejected:
        outbox.dead_letter(*refused)
    letters = [dict(m.headers) for m in outbox.messages["dead.letters", 3]]
    assert [letter["headrace.id"] for letter in letters] == [b"events/3/41", b"events/3/42"]


def test_a_dead_letter_keeps_the_original_key_and_bytes(batch_of):
    record = batch_of(b"\xff{", partition=0).records[0]._replace(key=b"\xfe")
    why = decode_batch(batch_of(b"\xff{"), SETTINGS, PARTITIONS, REQUESTS).rejected[0].error
    outbox = Outbox(SETTINGS, PARTITIONS)
    outbox.dead_letter(*Rejected(record, RecordPosition("events", 0, 0), why))
    [letter] = outbox.messages["dead.letters", 0]
    assert (letter.key, letter.value) == (b"\xfe", b"\xff{")


def test_a_misplaced_event_goes_to_the_partition_of_its_shopper_and_says_where_it_came_from(batch_of):
    batch = batch_of(VIEW, partition=ELSEWHERE, first=7)
    outbox = Outbox(SETTINGS, PARTITIONS)
    for misrouted in decode_batch(batch, SETTINGS, PARTITIONS, REQUESTS).misrouted:
        outbox.forward(misrouted)
    [forwarded] = outbox.messages[rekeyed(SETTINGS.group), HOME]
    assert (forwarded.key, forwarded.value) == (b"u1", batch.records[0].value)
    arrived = batch.records[0]._replace(
        topic=rekeyed(SETTINGS.group), partition=HOME, offset=99, headers=tuple(forwarded.headers)
    )
    accepted = decode_batch(
        batch._replace(topic=arrived.topic, partition=HOME, records=[arrived]), SETTINGS, PARTITIONS, REQUESTS
    ).accepted
    assert accepted[0].position == RecordPosition("events", ELSEWHERE, 7)


def test_a_forwarded_event_is_judged_by_when_its_producer_had_it_appended(batch_of):
    """However long it waits to be forwarded: else what its clock says would depend on the run."""
    first = batch_of(VIEW, partition=ELSEWHERE, first=7).records[0]
    outbox = Outbox(SETTINGS, PARTITIONS)
    outbox.forward(
        *decode_batch(PartitionBatch("events", ELSEWHERE, [first]), SETTINGS, PARTITIONS, REQUESTS).misrouted
    )
    [forwarded] = outbox.messages[rekeyed(SETTINGS.group), HOME]
    arrived = first._replace(
        topic=rekeyed(SETTINGS.group),
        partition=HOME,
        timestamp=first.timestamp + 3_600_000,
        headers=tuple(forwarded.headers),
    )
    [accepted] = decode_batch(PartitionBatch(arrived.topic, HOME, [arrived]), SETTINGS, PARTITIONS, REQUESTS).accepted
    assert accepted.appended_ms == first.timestamp


@pytest.mark.parametrize("claimed", [str(2**62).encode(), b"9" * 5_000, b"-1", b"soon"])
def test_a_forwarded_event_was_not_appended_after_it_was_forwarded(batch_of, claimed: bytes):
    [first] = batch_of(VIEW, partition=HOME).records
    place = (("headrace.topic", b"events"), ("headrace.partition", b"0"), ("headrace.offset", b"7"))
    forged = first._replace(topic=rekeyed(SETTINGS.group), headers=(*place, ("headrace.appended", claimed)))
    [accepted] = decode_batch(PartitionBatch(forged.topic, HOME, [forged]), SETTINGS, PARTITIONS, REQUESTS).accepted
    assert accepted.appended_ms == first.timestamp


def test_only_a_forwarded_event_is_asked_when_it_was_appended(batch_of):
    [record] = batch_of(VIEW, partition=HOME).records
    forged = record._replace(headers=(("headrace.appended", b"5"),))
    [accepted] = decode_batch(PartitionBatch("events", HOME, [forged]), SETTINGS, PARTITIONS, REQUESTS).accepted
    assert accepted.appended_ms == record.timestamp


def test_a_record_that_no_message_can_hold_is_a_dead_letter_that_says_where_it_is(batch_of):
    # Broker limits count compressed bytes: what was compressed may arrive larger than any message.
    batch = batch_of(b"x" * MAX_MESSAGE_BYTES, first=5)
    outbox = Outbox(SETTINGS, PARTITIONS)
    for refused in decode_batch(batch, SETTINGS, PARTITIONS, REQUESTS).rejected:
        outbox.dead_letter(*refused)
    [letter] = outbox.messages["dead.letters", 0]
    assert letter.value is None
    assert dict(letter.headers)["headrace.offset"] == b"5"


@pytest.mark.parametrize("error", [KafkaConnectionError(), KafkaTimeoutError(), NotLeaderForPartitionError()])
def test_a_kafka_that_is_away_is_waited_for(error: KafkaError):
    assert is_transient(error)


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber(), ProducerFenced(), TopicAuthorizationFailedError()])
def test_a_refusal_for_good_is_not_tried_for_ever(error: KafkaError):
    assert not is_transient(error)


def test_outputs_go_where_their_topic_has_partitions_and_a_key_always_to_one():
    outbox = Outbox(SETTINGS, PARTITIONS)
    users = [f"u{number}" for number in range(50)]
    for user in users * 2:
        outbox.add(Topic.RECOMMENDATIONS, user, Watermark(0, 0, idle=False))
    outbox.messages[rekeyed(SETTINGS.group), 3].append(Message(b"u1", b"{}"))
    for count in (1, 3, 4, 7):
        found = by_target_partition(outbox, Outputs({Topic.RECOMMENDATIONS: count}))
        assert {partition for topic, partition in found if topic == Topic.RECOMMENDATIONS} == set(range(count))
        for partition in range(count):
            for message in found[Topic.RECOMMENDATIONS, partition]:
                assert partition_of(message.key.decode(), count) == partition
        assert sum(map(len, found.values())) == 101
        assert found[rekeyed(SETTINGS.group), 3] == [Message(b"u1", b"{}")]


def test_a_dead_letter_fits_its_topic(batch_of):
    outbox = Outbox(SETTINGS, PARTITIONS)
    for value in (b"x" * 900_000, b"y" * 1_100_000):
        batch = batch_of(value, partition=3)
        for refused in decode_batch(batch, SETTINGS, PARTITIONS, REQUESTS).rejected:
            outbox.dead_letter(*refused)
    [[small, large]] = by_target_partition(outbox, Outputs({Topic.DEAD_LETTERS: 2}, letter_bytes=1_048_588)).values()
    assert small.value == b"x" * 900_000
    assert (large.key, large.value) == (None, None)
    assert dict(large.headers)["headrace.reason"] == b"too_large"
    assert list(by_target_partition(outbox, Outputs({Topic.DEAD_LETTERS: 2}))) == [(Topic.DEAD_LETTERS, 1)]
