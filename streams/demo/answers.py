"""Reads what Headrace answered: whole output topics, each output once."""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

import msgspec
from kafka import KafkaConsumer
from kafka.structs import TopicPartition

from headrace.connections.kafka import KafkaConnection
from headrace.messages.outputs import CtrScores, DemandAlert, OutputBase, Recommendation
from headrace.topics import Topic

O = TypeVar("O", bound=OutputBase)  # noqa: E741


class Answers(NamedTuple):
    """Outputs by id: a consumer of an at-least-once topic keeps the first of each."""

    recommendations: dict[str, Recommendation]
    ctr_scores: dict[str, CtrScores]
    alerts: dict[str, DemandAlert]
    dead_letters: int


def read_answers(kafka: KafkaConnection) -> Answers:
    """Read all output topics from their beginning to their present end."""
    return Answers(
        _by_id(kafka, Topic.RECOMMENDATIONS, Recommendation),
        _by_id(kafka, Topic.CTR_SCORES, CtrScores),
        _by_id(kafka, Topic.DEMAND_ALERTS, DemandAlert),
        sum(1 for _ in values(kafka, Topic.DEAD_LETTERS)),
    )


def _by_id(kafka: KafkaConnection, topic: Topic, kind: type[O]) -> dict[str, O]:
    decoder = msgspec.json.Decoder(kind)
    outputs: dict[str, O] = {}
    for value in values(kafka, topic):
        output = decoder.decode(value)
        outputs.setdefault(output.id, output)
    return outputs


def values(kafka: KafkaConnection, topic: Topic) -> Iterator[bytes]:
    """The values of a topic, from its beginning to its present end."""
    consumer = KafkaConsumer(
        **kafka.options(), auto_offset_reset="earliest", enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        name = kafka.name_of(topic)
        partitions = [TopicPartition(name, p) for p in consumer.partitions_for_topic(name) or ()]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        consumer.seek_to_beginning(*partitions)
        while any((consumer.position(p) or 0) < ends[p] for p in partitions):
            for records in consumer.poll(timeout_ms=1_000).values():
                yield from (record.value for record in records)
    finally:
        consumer.close()
