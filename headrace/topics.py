"""Names, keys, partitions and retention of every topic, in one place.

Names are those of the contract: in records, ids, fences, metrics and recordings a topic has no other. On the cluster
`HEADRACE_TOPIC_PREFIX` stands before each, which only whoever speaks to Kafka knows (`KafkaConnection.name_of`).
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import NamedTuple

from headrace.settings.model import Settings

#: A dead letter carries its original bytes, a feature log its event's: broker and producers let this much through.
MAX_MESSAGE_BYTES = 4_194_304 + 65_536
#: Producers send so much at once, which brokers hold against the same limit.
BATCH_BYTES = 524_288
_WEEK_MS = 7 * 86_400_000
_SENT_BACK = ".sent-back"

#: Append time on every topic: outputs and item updates carry event time inside, and if a replayed year stood on the
#: record itself, retention would delete it at once.
_COMMON = {"max.message.bytes": str(MAX_MESSAGE_BYTES), "message.timestamp.type": "LogAppendTime"}


class Topic(StrEnum):
    """Topics that other programs speak to."""

    EVENTS = "events"
    ITEMS = "items"
    SCORE_REQUESTS = "score.requests"
    RECOMMENDATIONS = "recommendations"
    CTR_SCORES = "ctr.scores"
    DEMAND_FORECASTS = "demand.forecasts"
    DEMAND_ALERTS = "demand.alerts"
    DEAD_LETTERS = "dead.letters"
    FEATURE_LOG = "feature.log"


INPUTS = frozenset({Topic.EVENTS, Topic.ITEMS, Topic.SCORE_REQUESTS})
ANSWERS = (Topic.RECOMMENDATIONS, Topic.CTR_SCORES, Topic.DEMAND_FORECASTS, Topic.DEMAND_ALERTS)
_COMPACTED = frozenset({Topic.ITEMS, Topic.DEMAND_FORECASTS})


class TopicSpec(NamedTuple):
    """A topic as `up` creates it."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str]


def rekeyed(group: str) -> str:
    """Internal topic for records whose partition is not the one murmur2(user_id) names."""
    return f"headrace.{group}.rekeyed"


def item_updates(group: str) -> str:
    """Internal topic that carries what shoppers did to items, keyed by item."""
    return f"headrace.{group}.item-deltas"


def group_of(topic: str) -> str | None:
    """The group whose item updates a topic carries; None for other topics."""
    before = topic.rpartition(".")[0]
    begin, _, group = before.rpartition(".")
    return group if begin == "headrace" and topic == item_updates(group) else None


def groups_of(topics: Collection[str]) -> set[str]:
    """The groups that have begun, by their own topics."""
    return {group for topic in topics if (group := group_of(topic)) is not None}


def sent_back(group: str) -> str:
    """Internal topic of which dead letters were mended and sent back; made by the command that does so."""
    return f"headrace.{group}{_SENT_BACK}"


def is_sent_back(topic: str) -> bool:
    """Whether it is such a topic, of any group."""
    return topic.startswith("headrace.") and topic.endswith(_SENT_BACK)


def public_topics(settings: Settings) -> list[TopicSpec]:
    """Every topic of the contract."""
    return [TopicSpec(t, settings.partitions, settings.replication, _config(t)) for t in Topic]


def internal_topics(group: str, partitions: int, replication: int) -> list[TopicSpec]:
    """The group's own topics; they have as many partitions as `events`, so that Faust assigns them alike."""
    config = {**_COMMON, "retention.ms": str(_WEEK_MS)}
    return [TopicSpec(name, partitions, replication, config) for name in (rekeyed(group), item_updates(group))]


def _config(topic: Topic) -> dict[str, str]:
    return {**_COMMON, **({"cleanup.policy": "compact"} if topic in _COMPACTED else {"retention.ms": str(_WEEK_MS)})}
