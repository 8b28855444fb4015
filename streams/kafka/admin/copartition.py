"""Whether topics are what a worker needs: equal partition counts give each row one writer, settings lose nothing."""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from headrace.errors import StreamError
from headrace.settings.model import Settings
from headrace.topics import Topic, internal_topics, topics_of
from infra.topics.admin import describe, ensure_topics
from infra.topics.check import FoundTopic, Outputs, mismatches, outputs_of, sentence

log = logging.getLogger(__name__)

# SIGTERM waits for it: short, and a supervisor starts the worker again.
_PATIENCE_MS = 5_000


class Prepared(NamedTuple):
    """Topics as a worker needs them: the partitions of its inputs and of its group's own, and where outputs go."""

    partitions: int
    outputs: Outputs


def prepare(settings: Settings) -> Prepared:
    """Create the group's internal topics, and hold all of the contract's and its own against what is needed of them.

    Raises:
        StackError: Kafka does not answer, or keeps a topic from this client.
        StreamError: a topic is missing, partition counts differ, or a topic is set up so that records would be lost.
    """
    kafka = settings.kafka_connection
    topics = topics_of(settings)
    public = describe(kafka, topics.names, _PATIENCE_MS)
    partitions = agree(
        {topic: public[topic].partitions if topic in public else 0 for topic in topics.names},
        topics.inputs,
        settings.topic_prefix,
    )
    internal = internal_topics(settings.group, partitions, settings.replication)
    ensure_topics(kafka, internal)
    own = describe(kafka, [spec.name for spec in internal], _PATIENCE_MS)
    if {topic.partitions for topic in own.values()} != {partitions}:
        raise StreamError(
            f"{kafka.name_of(Topic.EVENTS)} has {partitions} partitions, but {settings.group} has begun with "
            f"{min(topic.partitions for topic in own.values())}: fold its topics into a group of another name, with "
            "`headrace rebuild`."
        )
    _check([*public.values(), *own.values()], settings)
    return Prepared(partitions, outputs_of(public, topics))


def _check(topics: Sequence[FoundTopic], settings: Settings) -> None:
    found = [mismatch for topic in topics for mismatch in mismatches(topic, settings)]
    for mismatch in found:
        if mismatch.bearable:
            log.warning("%s", sentence([mismatch], settings.kafka_address))
    if unseen := [f"{settings.topic_prefix}{topic.name}" for topic in topics if topic.config is None]:
        log.warning("%s: their settings are not checked, since this client may not see them", ", ".join(unseen))
    if fatal := [mismatch for mismatch in found if not mismatch.bearable]:
        raise StreamError(sentence(fatal, settings.kafka_address))


def agree(counts: Mapping[str, int], inputs: Collection[str], prefix: str = "") -> int:
    """The one partition count of all `inputs`; `prefix` stands before their names on the cluster.

    Raises:
        StreamError: naming the topics that are missing, or the inputs whose counts differ from that of `events`.
    """
    missing = sorted(f"{prefix}{topic}" for topic, count in counts.items() if count == 0)
    if missing:
        raise StreamError(f"No topic {', '.join(missing)}: create it with `headrace topics create`.")
    wanted = counts[Topic.EVENTS]
    odd = sorted(topic for topic, count in counts.items() if topic in inputs and count != wanted)
    others = ", ".join(f"{prefix}{topic} has {counts[topic]}" for topic in odd)
    if others:
        raise StreamError(
            f"{prefix}{Topic.EVENTS} has {wanted} partitions, but {others}: a worker needs equal counts. "
            "Recreate these topics, or give all of them the same number of partitions."
        )
    return wanted
