"""Rules 1, 10 and 13: where a chunk's messages go, and under which ids."""

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

from streams.engine.intake import Place, Refused, take_in
from streams.engine.outbox import Outbox, is_passing
from streams.engine.partitions import partition_of
from streams.settings import Settings
from streams.topics import MAX_MESSAGE_BYTES, rekeyed

PARTITIONS = 4
SETTINGS = Settings()
HOME = partition_of("u1", PARTITIONS)
ELSEWHERE = (HOME + 1) % PARTITIONS
VIEW = {"event_id": "e1", "type": "view", "user_id": "u1", "timestamp": 1_767_571_200_000, "item_id": "a"}


def test_a_dead_letters_id_is_the_place_of_its_record(chunk_of):
    chunk = chunk_of(b"{", b"{", partition=3, first=41)
    outbox = Outbox(SETTINGS, PARTITIONS)
    for refused in take_in(chunk, SETTINGS, PARTITIONS).refused:
        outbox.dead_letter(*refused)
    letters = [dict(m.headers) for m in outbox.messages["dead.letters", 3]]
    assert [letter["headrace.id"] for letter in letters] == [b"events/3/41", b"events/3/42"]


def test_a_dead_letter_keeps_the_original_key_and_bytes(chunk_of):
    record = chunk_of(b"\xff{", partition=0).records[0]._replace(key=b"\xfe")
    why = take_in(chunk_of(b"\xff{"), SETTINGS, PARTITIONS).refused[0].why
    outbox = Outbox(SETTINGS, PARTITIONS)
    outbox.dead_letter(*Refused(record, Place("events", 0, 0), why))
    [letter] = outbox.messages["dead.letters", 0]
    assert (letter.key, letter.value) == (b"\xfe", b"\xff{")


def test_a_misplaced_event_goes_to_the_partition_of_its_shopper_and_says_where_it_came_from(chunk_of):
    chunk = chunk_of(VIEW, partition=ELSEWHERE, first=7)
    outbox = Outbox(SETTINGS, PARTITIONS)
    for misplaced in take_in(chunk, SETTINGS, PARTITIONS).misplaced:
        outbox.forward(misplaced)
    [forwarded] = outbox.messages[rekeyed(SETTINGS.group), HOME]
    assert (forwarded.key, forwarded.value) == (b"u1", chunk.records[0].value)
    arrived = chunk.records[0]._replace(
        topic=rekeyed(SETTINGS.group), partition=HOME, offset=99, headers=tuple(forwarded.headers)
    )
    taken = take_in(chunk._replace(topic=arrived.topic, partition=HOME, records=[arrived]), SETTINGS, PARTITIONS).taken
    assert taken[0].place == Place("events", ELSEWHERE, 7)


def test_a_record_that_no_message_can_hold_is_a_dead_letter_that_says_where_it_is(chunk_of):
    # Broker limits count compressed bytes: what was compressed may arrive larger than any message.
    chunk = chunk_of(b"x" * MAX_MESSAGE_BYTES, first=5)
    outbox = Outbox(SETTINGS, PARTITIONS)
    for refused in take_in(chunk, SETTINGS, PARTITIONS).refused:
        outbox.dead_letter(*refused)
    [letter] = outbox.messages["dead.letters", 0]
    assert letter.value is None
    assert dict(letter.headers)["headrace.offset"] == b"5"


@pytest.mark.parametrize("error", [KafkaConnectionError(), KafkaTimeoutError(), NotLeaderForPartitionError()])
def test_a_kafka_that_is_away_is_waited_for(error: KafkaError):
    assert is_passing(error)


@pytest.mark.parametrize("error", [OutOfOrderSequenceNumber(), ProducerFenced(), TopicAuthorizationFailedError()])
def test_a_refusal_for_good_is_not_tried_for_ever(error: KafkaError):
    assert not is_passing(error)
