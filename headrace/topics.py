"""Names, keys, partitions and retention of every topic, in one place.

Names are those of the contract: in records, ids, fences, metrics and recordings a topic has no other. On the cluster
`HEADRACE_TOPIC_PREFIX` stands before each, which only whoever speaks to Kafka knows (`KafkaConnection.name_of`).
"""

from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from headrace.scenarios.registry import installed
from headrace.settings.model import Settings

#: A dead letter carries its original bytes, a feature log its event's: broker and producers let this much through.
MAX_MESSAGE_BYTES = 4_194_304 + 65_536
#: Producers send so much at once, which brokers hold against the same limit.
BATCH_BYTES = 524_288
_WEEK_MS = 7 * 86_400_000
_SENT_BACK = ".sent-back"
TICK: Final = "headrace.tick"
"""Header of a record of the rekeyed topic that is no event: the event time, ms, that its partition has reached."""

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


#: Of the scenarios that Headrace brings; which there are with those of other packages says `topics_of`.
INPUTS = frozenset({Topic.EVENTS, Topic.ITEMS, Topic.SCORE_REQUESTS})
ANSWERS = (Topic.RECOMMENDATIONS, Topic.CTR_SCORES, Topic.DEMAND_FORECASTS, Topic.DEMAND_ALERTS)


class PublicTopics(NamedTuple):
    """The topics that other programs speak to, by what they are for.

    Attributes:
        inputs: in order of name.
        answers: what scenarios write, in order of name.
        compacted: those of which the newest record of a key is all that counts.
    """

    inputs: tuple[str, ...]
    answers: tuple[str, ...]
    compacted: frozenset[str]

    @property
    def names(self) -> tuple[str, ...]:
        """All of them: beside inputs and answers, what answers were made from and what was rejected."""
        return (*self.inputs, *self.answers, Topic.FEATURE_LOG, Topic.DEAD_LETTERS)


def topics_of(settings: Settings) -> PublicTopics:
    """The topics of the scenarios that run (`HEADRACE_SCENARIOS`).

    Raises:
        ScenarioError: they cannot be loaded, or do not go together.
    """
    registry = installed(settings.scenarios)
    return PublicTopics(
        inputs=tuple(sorted({Topic.EVENTS, Topic.ITEMS, *(topic.name for topic in registry.inputs)})),
        answers=tuple(sorted(topic.name for topic in registry.outputs)),
        compacted=frozenset({Topic.ITEMS, *(topic.name for topic in registry.outputs if topic.compacted)}),
    )


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
    """Every topic that other programs speak to, as it is to be created."""
    topics = topics_of(settings)
    return [
        TopicSpec(name, settings.partitions, settings.replication, _config(compacted=name in topics.compacted))
        for name in topics.names
    ]


def internal_topics(group: str, partitions: int, replication: int) -> list[TopicSpec]:
    """The group's own topics; they have as many partitions as `events`, so that Faust assigns them alike."""
    config = {**_COMMON, "retention.ms": str(_WEEK_MS)}
    return [TopicSpec(name, partitions, replication, config) for name in (rekeyed(group), item_updates(group))]


def _config(*, compacted: bool) -> dict[str, str]:
    return {**_COMMON, **({"cleanup.policy": "compact"} if compacted else {"retention.ms": str(_WEEK_MS)})}
