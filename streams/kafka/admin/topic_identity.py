"""Which topics a worker reads, by more than their names: offsets mean something for one topic alone (rule 2)."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Final

from kafka.errors import KafkaError

from headrace.connections.kafka import KafkaConnection
from headrace.errors import StackError, TopicChanged, TopicMissing
from headrace.settings.model import Settings
from infra.topics.admin import connect

_PATIENCE_MS: Final = 5_000
# A topic that is made anew is missing for a moment, and a broker that has just started knows the newest ones late.
_MISSING_ROUNDS: Final = 2

Identities = Mapping[str, str]
"""Topic name → "id:partitions"."""


def identities(kafka: KafkaConnection, topics: Sequence[str]) -> Identities:
    """Each topic's id and number of partitions, by its name in the contract.

    Raises:
        TopicMissing: a topic does not exist.
        StackError: Kafka does not answer.
    """
    try:
        with closing(connect(kafka, _PATIENCE_MS)) as admin:
            described = {topic["name"]: topic for topic in admin.describe_topics([*map(kafka.name_of, topics)])}
    except KafkaError as error:
        raise StackError(f"Kafka at {kafka.address} does not answer: {error!r}") from error
    names = {topic: kafka.name_of(topic) for topic in topics}
    missing = [name for name in names.values() if name not in described or described[name].get("error_code")]
    if missing:
        raise TopicMissing(
            f"Topic {missing[0]!r} does not exist: `headrace topics create` makes those of the contract, and a worker "
            "those of its group."
        )
    return {t: f"{described[name]['topic_id']}:{len(described[name]['partitions'])}" for t, name in names.items()}


def verify(then: Identities, now: Identities, group: str) -> None:
    """Compare what a group has read with what is there.

    Raises:
        TopicChanged: a topic was recreated or repartitioned; skipping in silence would be the alternative.
    """
    for topic, identity in now.items():
        (old, _, before), (new, _, after) = then[topic].rpartition(":"), identity.rpartition(":")
        if old != new:
            raise TopicChanged(
                f"Topic {topic!r} is not the one group {group!r} has read: it was recreated ({old} then, {new} now). "
                "Set HEADRACE_GROUP to a new name, with HEADRACE_ANSWER_AGAIN=on, to start over from its beginning."
            )
        if before != after:
            raise TopicChanged(
                f"Topic {topic!r} has {after} partitions, {before} when group {group!r} began: fold its topics into a "
                "group of another name, with `headrace rebuild`."
            )


class TopicWatch:
    """A running worker's topics, as they were when it started.

    A client knows a topic by its name: where one was made anew it reads on at the old offset, or waits for records
    that will never have one so high.
    """

    def __init__(self, settings: Settings, topics: Sequence[str]) -> None:
        self._settings = settings
        self._topics = topics
        self._missed = 0
        self._then = identities(settings.kafka_connection, topics)

    def check(self) -> None:
        """Look once; a Kafka that does not answer shows elsewhere.

        Raises:
            TopicChanged: a topic was recreated or repartitioned.
            TopicMissing: one was deleted.
        """
        try:
            now = identities(self._settings.kafka_connection, self._topics)
        except StackError:
            return
        except TopicMissing:
            self._missed += 1
            if self._missed >= _MISSING_ROUNDS:
                raise
            return
        self._missed = 0
        verify(self._then, now, self._settings.group)
