"""What a worker needs of the topics of the contract, held against those that there are."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from headrace.settings.model import Settings
from headrace.topics import BATCH_BYTES, MAX_MESSAGE_BYTES, PublicTopics, Topic, topics_of

_ROOM: Final = 65_536
"""What an answer may be larger than the event that it answers."""


class FoundTopic(NamedTuple):
    """A topic as the cluster describes it.

    Attributes:
        replicas: of the partition that has fewest.
        config: None where this client may not see it.
    """

    name: str
    partitions: int
    replicas: int
    config: Mapping[str, str] | None


class Outputs(NamedTuple):
    """What a producer goes by.

    Attributes:
        partitions: of each topic of the contract; fewer or more than `events` has make no difference.
        letter_bytes: largest message that `dead.letters` takes.
    """

    partitions: Mapping[str, int]
    letter_bytes: int = MAX_MESSAGE_BYTES


class Mismatch(NamedTuple):
    """A topic that is not what is needed.

    Attributes:
        topic: its name on the cluster.
        wanted: in words.
        value: what to set; None where that is not for Headrace to decide.
        bearable: whether a worker runs all the same.
    """

    topic: str
    setting: str
    found: str
    wanted: str
    value: str | None = None
    bearable: bool = False

    def __str__(self) -> str:
        return f"{self.topic} has {self.setting}={self.found}, and needs {self.wanted}"


def mismatches(found: FoundTopic, settings: Settings) -> list[Mismatch]:
    """What is wrong with a topic: one of the contract, or one of a group's own."""
    config = found.config
    if config is None:
        return []
    name, topics = found.name, topics_of(settings)
    checks = [
        _append_time(name, config) if name in topics.inputs else _message_bytes(name, config, settings),
        None if name in topics.inputs else _in_sync(found, config),
        _deletion(name, config, topics),
        _room_for_letters(name, config) if name == Topic.DEAD_LETTERS else None,
    ]
    on_cluster = f"{settings.topic_prefix}{name}"
    return [check._replace(topic=on_cluster) for check in checks if check is not None]


def _append_time(name: str, config: Mapping[str, str]) -> Mismatch | None:
    """Whether an event is in the future, and which of two items is newer, only the broker's clock can tell."""
    wanted = "LogAppendTime"
    kind = config.get("message.timestamp.type", wanted)
    return None if kind == wanted else Mismatch(name, "message.timestamp.type", kind, wanted, wanted)


def _message_bytes(name: str, config: Mapping[str, str], settings: Settings) -> Mismatch | None:
    limit = int(config.get("max.message.bytes", MAX_MESSAGE_BYTES))
    least = max(BATCH_BYTES, settings.max_event_bytes) + _ROOM
    if limit >= least:
        return None
    return Mismatch(name, "max.message.bytes", str(limit), f"{least} or more", str(MAX_MESSAGE_BYTES))


def _room_for_letters(name: str, config: Mapping[str, str]) -> Mismatch | None:
    """Bearable: a letter that does not fit says where its record is, without its bytes."""
    limit = int(config.get("max.message.bytes", MAX_MESSAGE_BYTES))
    if limit >= MAX_MESSAGE_BYTES:
        return None
    wanted = f"{MAX_MESSAGE_BYTES} to carry every refused record whole"
    return Mismatch(name, "max.message.bytes", str(limit), wanted, str(MAX_MESSAGE_BYTES), bearable=True)


def _in_sync(found: FoundTopic, config: Mapping[str, str]) -> Mismatch | None:
    """With fewer replicas than have to be in sync no record is ever taken."""
    least = int(config.get("min.insync.replicas", 1))
    if least <= found.replicas:
        return None
    wanted = f"at most {found.replicas}, since so many replicas it has, or more of them (HEADRACE_REPLICATION)"
    return Mismatch(found.name, "min.insync.replicas", str(least), wanted)


def _deletion(name: str, config: Mapping[str, str], topics: PublicTopics) -> Mismatch | None:
    policy = config.get("cleanup.policy", "")
    if name in topics.compacted:
        for_ever = all(config.get(limit) == "-1" for limit in ("retention.ms", "retention.bytes"))
        if "delete" not in policy or for_ever:
            return None
        wanted = "compact: what is not sent again in time is forgotten"
        return Mismatch(name, "cleanup.policy", policy, wanted, "compact", bearable=True)
    # Of a shopper's events one would be left; a record without a key, as dead letters may be, would be refused.
    if "compact" not in policy or name in {*topics.answers, Topic.FEATURE_LOG}:
        return None
    return Mismatch(name, "cleanup.policy", policy, "delete", "delete")


def outputs_of(found: Mapping[str, FoundTopic], topics: PublicTopics) -> Outputs:
    """What a producer has to know of the topics that there are."""
    config = found[Topic.DEAD_LETTERS].config or {}
    limit = int(config.get("max.message.bytes", MAX_MESSAGE_BYTES))
    return Outputs({topic: found[topic].partitions for topic in topics.names if topic not in topics.inputs}, limit)


def sentence(found: Sequence[Mismatch], address: str) -> str:
    """All of them in one line, with what to do."""
    listed = "; ".join(map(str, found))
    if any(mismatch.value is None for mismatch in found):
        return f"{listed}: change it with the cluster's own tools."
    first = found[0]
    return (
        f"{listed}: `headrace topics alter` changes it, as does `kafka-configs.sh --bootstrap-server {address} --alter "
        f"--entity-type topics --entity-name {first.topic} --add-config {first.setting}={first.value}`."
    )
