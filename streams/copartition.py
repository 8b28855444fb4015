"""The topics of a worker have equal partition counts: what gives each row one writer."""

from collections.abc import Iterable, Mapping
from contextlib import closing

from kafka.errors import KafkaError

from streams.connections.kafka import KafkaConnection
from streams.errors import StackError, StreamError
from streams.settings import Settings
from streams.topic_admin import connect, ensure_topics
from streams.topics import INPUTS, Topic, internal_topics

# SIGTERM waits for it: short, and a supervisor starts the worker again.
_PATIENCE_MS = 5_000


def prepare(settings: Settings) -> int:
    """Create the group's internal topics and hold all input topics against each other; returns their partitions.

    Raises:
        StackError: Kafka does not answer.
        StreamError: a topic is missing, or partition counts differ.
    """
    counts = _count(settings.kafka_connection, INPUTS)
    partitions = agree(counts)
    internal = internal_topics(settings.group, partitions, settings.replication)
    ensure_topics(settings.kafka_connection, internal)
    own = _count(settings.kafka_connection, [spec.name for spec in internal])
    if set(own.values()) != {partitions}:
        raise StreamError(
            f"events has {partitions} partitions, but {settings.group} has begun with {min(own.values())}: fold its "
            "topics into a group of another name, with `headrace rebuild`."
        )
    return partitions


def agree(counts: Mapping[str, int]) -> int:
    """The one partition count of all topics.

    Raises:
        StreamError: naming the topics that are missing, or whose counts differ from that of `events`.
    """
    missing = sorted(topic for topic, count in counts.items() if count == 0)
    if missing:
        raise StreamError(f"No topic {', '.join(missing)}: create it with `headrace topics create`.")
    wanted = counts[Topic.EVENTS]
    others = ", ".join(f"{topic} has {count}" for topic, count in sorted(counts.items()) if count != wanted)
    if others:
        raise StreamError(
            f"events has {wanted} partitions, but {others}: a worker needs equal counts. "
            "Recreate these topics, or give all of them the same number of partitions."
        )
    return wanted


def _count(kafka: KafkaConnection, topics: Iterable[str]) -> dict[str, int]:
    try:
        with closing(connect(kafka, _PATIENCE_MS)) as admin:
            described = admin.describe_topics(sorted(topics))
    except KafkaError as error:
        raise StackError(
            f"Kafka at {kafka.address} does not answer: start it with `headrace up`, or set HEADRACE_KAFKA."
        ) from error
    return {topic["name"]: len(topic["partitions"]) for topic in described}
