"""What commands ask a Kafka cluster: which partitions there are, where they end, what a group has committed."""

import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, Self

import kafka.admin
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata, TopicPartition

from headrace.connections.kafka import KafkaConnection
from headrace.connections.trouble import kafka_trouble, who
from headrace.errors import UsageError
from headrace.topics import MAX_MESSAGE_BYTES

# The client's published type stubs are of its version 2 and know no `bootstrap_timeout_ms` and no
# `list_group_offsets`, nor `MemberToRemove`: hence a mapping here, and `Any` below.
kafka_admin: Any = kafka.admin
_PATIENCE_MS = 10_000
_PATIENCE: dict[str, Any] = {"bootstrap_timeout_ms": _PATIENCE_MS}
_COORDINATOR_S = 15.0

Offsets = Mapping[TopicPartition, int]


class Member(NamedTuple):
    """A member of a consumer group.

    Attributes:
        client: what its client calls itself.
        topics: which it reads.
        partitions: of them, which it has been given.
    """

    id: str
    client: str
    host: str
    topics: frozenset[str]
    partitions: frozenset[TopicPartition]


@contextmanager
def kafka_errors(connection: KafkaConnection) -> Generator[None]:
    """Turn the client's errors into one line that says what to do."""
    try:
        yield
    except KafkaError as error:
        raise kafka_trouble(connection, error) from error


class Broker:
    """A cluster's metadata; a context manager that holds one connection. Topics have the names of the contract here.

    Raises:
        StackError: the cluster cannot be reached.
    """

    def __init__(self, connection: KafkaConnection, patience_ms: int = _PATIENCE_MS) -> None:
        self._connection = connection
        options: dict[str, Any] = {**connection.options(), "bootstrap_timeout_ms": patience_ms}
        with kafka_errors(self._connection):
            self._consumer = KafkaConsumer(**options, enable_auto_commit=False, isolation_level="read_committed")
            self._admin: Any = kafka_admin.KafkaAdminClient(**options)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._consumer.close(autocommit=False)
        self._admin.close()

    def partitions(self, topics: Iterable[str]) -> list[TopicPartition]:
        """Every partition of the topics.

        Raises:
            UsageError: a topic does not exist.
        """
        found: list[TopicPartition] = []
        present = self.names()
        with kafka_errors(self._connection):
            for topic in topics:
                name = self._connection.name_of(topic)
                if name not in present:
                    visible = f" that {who(self._connection)} may see" if self._connection.login else ""
                    raise UsageError(
                        f"there is no topic {name} on {self._connection.address}{visible}: `headrace topics create` "
                        "makes those of the contract, a worker its own"
                    )
                numbers: set[int] = self._consumer.partitions_for_topic(name) or set()
                found += [TopicPartition(topic, number) for number in sorted(numbers)]
        return found

    def names(self) -> set[str]:
        """Every topic that this client may see, by its name on the cluster."""
        with kafka_errors(self._connection):
            return set(self._consumer.topics())

    def ends(self, topics: Iterable[str]) -> Offsets:
        """The last stable offset of each partition: before its first open transaction, or after its last record."""
        partitions = self.partitions(topics)
        with kafka_errors(self._connection):
            return self._by_topic(self._consumer.end_offsets(self._there(partitions)))

    def beginnings(self, topics: Iterable[str]) -> Offsets:
        """The offset of the first record that each partition still holds."""
        partitions = self.partitions(topics)
        with kafka_errors(self._connection):
            return self._by_topic(self._consumer.beginning_offsets(self._there(partitions)))

    def committed(self, group: str) -> Offsets:
        """What the group has committed; partitions without a commit are left out, and so are topics of other shops."""
        offsets = self._of_group(lambda: self._admin.list_group_offsets(group))[group]
        return self._by_topic({partition: found.offset for partition, found in offsets.items() if found.offset >= 0})

    def members(self, group: str) -> Mapping[str, str]:
        """The members of a group: id → what their client calls itself."""
        return {member.id: member.client for member in self.group(group)[1]}

    def group(self, name: str) -> tuple[str, list[Member]]:
        """A group's state, such as `Stable` or `Empty`, and its members."""
        described = self._of_group(lambda: self._admin.describe_groups([name]))[name]
        return described["group_state"], [_member(member, self._connection) for member in described["members"]]

    def take_out(self, group: str, members: Iterable[str]) -> None:
        """Let a group go on without these members."""
        gone = [kafka_admin.MemberToRemove(member) for member in members]
        self._of_group(lambda: self._admin.remove_group_members(group, gone))

    def start_group_at(self, group: str, offsets: Offsets) -> None:
        """Let a group without members begin at these offsets instead of at the beginning."""
        places = zip(self._there(offsets), offsets.values(), strict=True)
        commits = {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in places}
        self._of_group(lambda: self._admin.alter_group_offsets(group, commits))

    def forget_group(self, group: str) -> None:
        """Delete what a group without members has committed."""
        self._of_group(lambda: self._admin.delete_groups([group]))

    def _there(self, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        """As the cluster calls them."""
        return [TopicPartition(self._connection.name_of(topic), number) for topic, number in partitions]

    def _by_topic(self, offsets: Offsets) -> Offsets:
        """As the contract calls them."""
        ours = self._connection.prefix
        return {
            TopicPartition(self._connection.topic_of(name), number): offset
            for (name, number), offset in offsets.items()
            if name.startswith(ours)
        }

    def _of_group(self, ask: Callable[[], Any]) -> Any:
        """Ask the group's coordinator, which a cluster that never had a group has to appoint first."""
        deadline = time.monotonic() + _COORDINATOR_S
        with kafka_errors(self._connection):
            while True:
                try:
                    return ask()
                except KafkaError as error:
                    if not error.retriable or time.monotonic() > deadline:
                        raise
                time.sleep(0.2)


def _member(described: Mapping[str, Any], connection: KafkaConnection) -> Member:
    # Empty bytes before the group has agreed.
    metadata, assignment = described["member_metadata"] or {}, described["member_assignment"] or {}
    assigned = assignment.get("assigned_partitions", [])
    return Member(
        described["member_id"],
        described["client_id"],
        described["client_host"].removeprefix("/"),
        frozenset(map(connection.topic_of, metadata.get("topics", []))),
        frozenset(
            TopicPartition(connection.topic_of(each["topic"]), number)
            for each in assigned
            for number in each["partitions"]
        ),
    )


def make_producer(connection: KafkaConnection) -> KafkaProducer:
    """A producer that keeps order, waits for all replicas and batches.

    Raises:
        StackError: the cluster cannot be reached.
    """
    with kafka_errors(connection):
        return KafkaProducer(
            **connection.options(),
            **_PATIENCE,
            enable_idempotence=True,
            acks="all",
            linger_ms=5,
            batch_size=262_144,
            max_request_size=MAX_MESSAGE_BYTES,
            metrics_enabled=False,
        )
