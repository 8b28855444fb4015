"""Creates topics, describes them, and changes what they are set to."""

from collections import defaultdict
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from headrace.connections.kafka import KafkaConnection
from headrace.connections.trouble import kafka_trouble, who
from headrace.errors import StackError
from headrace.settings.model import Settings
from headrace.topics import TopicSpec, topics_of
from infra.topics.check import FoundTopic, Mismatch, mismatches

_NOT_AUTHORISED = 29
_TIMEOUT_MS = 15_000


def connect(connection: KafkaConnection, timeout_ms: int) -> Any:
    """A kafka-python admin client, to be closed.

    Untyped, because the stubs that type checkers bring are of an older release.

    Raises:
        kafka.errors.KafkaError: no broker answers within `timeout_ms`.
    """
    from kafka.admin import KafkaAdminClient

    client: Any = KafkaAdminClient
    return client(**connection.options(), bootstrap_timeout_ms=timeout_ms)


class TopicsReport(NamedTuple):
    """What `ensure_topics` found and did; topics by their names on the cluster."""

    created: list[str]
    existing: list[str]


def ensure_topics(connection: KafkaConnection, specs: Sequence[TopicSpec]) -> TopicsReport:
    """Create the topics that are missing and wait until each has its leaders; leave existing ones alone.

    Raises:
        StackError: Kafka cannot be reached, or refuses a topic.
    """
    specs = [spec._replace(name=connection.name_of(spec.name)) for spec in specs]
    with _admin(connection, _TIMEOUT_MS) as admin:
        present = set(admin.list_topics())
        created = _create(admin, [spec for spec in specs if spec.name not in present])
    return TopicsReport(created, [spec.name for spec in specs if spec.name in present])


def topic_names(connection: KafkaConnection, timeout_ms: int = _TIMEOUT_MS) -> set[str]:
    """Every topic that this client may see, by its name on the cluster.

    Raises:
        StackError: Kafka cannot be reached.
    """
    with _admin(connection, timeout_ms) as admin:
        return set(admin.list_topics())


def describe(connection: KafkaConnection, names: Iterable[str], timeout_ms: int = _TIMEOUT_MS) -> dict[str, FoundTopic]:
    """The topics that there are, by their names in the contract; a missing one is left out.

    Raises:
        StackError: Kafka cannot be reached, or keeps a topic from this client.
    """
    with _admin(connection, timeout_ms) as admin:
        described: list[dict[str, Any]] = admin.describe_topics(sorted(map(connection.name_of, names)))
        if hidden := sorted(topic["name"] for topic in described if topic["error_code"] == _NOT_AUTHORISED):
            raise StackError(
                f"Kafka at {connection.address}: {who(connection)} may not see {', '.join(hidden)}: grant it what "
                "docs/how-to/connect-your-cluster.md lists."
            )
        present = {topic["name"]: topic["partitions"] for topic in described if topic["partitions"]}
        configs = _configs(admin, present)
    found = [
        FoundTopic(
            connection.topic_of(name),
            len(parts),
            min(len(p["replica_nodes"]) for p in parts),
            configs.get(name) or None,
        )
        for name, parts in present.items()
    ]
    return {topic.name: topic for topic in found}


def contract_mismatches(settings: Settings) -> list[Mismatch]:
    """What is wrong with the topics of the contract that there are.

    Raises:
        StackError: Kafka cannot be reached, or keeps a topic from this client.
    """
    names = topics_of(settings).names
    found = describe(settings.kafka_connection, names)
    return [mismatch for topic in names if topic in found for mismatch in mismatches(found[topic], settings)]


def alter(connection: KafkaConnection, changes: Iterable[Mismatch]) -> None:
    """Set what each of them wants.

    Raises:
        StackError: Kafka cannot be reached, or refuses.
    """
    from kafka.admin import ConfigResource, ConfigResourceType

    wanted: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for change in changes:
        if change.value is not None:
            wanted[change.topic][change.setting] = change.value
    resources: list[Any] = [ConfigResource(ConfigResourceType.TOPIC, name, sets) for name, sets in wanted.items()]
    with _admin(connection, _TIMEOUT_MS) as admin:
        answers: Mapping[str, str] = admin.alter_configs(resources, raise_on_unknown=False)["topic"]
    if refused := "; ".join(f"{name} ({answer})" for name, answer in answers.items() if answer != "OK"):
        raise StackError(f"Kafka at {connection.address} does not change {refused}: ask whoever runs the cluster.")


@contextmanager
def _admin(connection: KafkaConnection, timeout_ms: int) -> Generator[Any]:
    from kafka.errors import KafkaError

    try:
        with connect(connection, timeout_ms) as admin:
            yield admin
    except KafkaError as error:
        raise kafka_trouble(connection, error) from error


def _create(admin: Any, specs: Sequence[TopicSpec]) -> list[str]:
    from kafka.errors import AuthorizationError, KafkaError, TopicAlreadyExistsError, for_code

    names = [spec.name for spec in specs]
    if not specs:
        return names
    wanted = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": spec.replication,
            "configs": dict(spec.config),
        }
        for spec in specs
    }
    for topic in admin.create_topics(wanted, timeout_ms=_TIMEOUT_MS, raise_errors=False)["topics"]:
        error = for_code(topic["error_code"])
        # Another process may have created it since we looked.
        if topic["error_code"] and error is not TopicAlreadyExistsError:
            message = f"{topic['name']}: {topic['error_message']}"
            raise AuthorizationError(message) if issubclass(error, AuthorizationError) else KafkaError(message)
    admin.wait_for_topics(names, timeout_ms=_TIMEOUT_MS)
    return names


def _configs(admin: Any, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Of each topic what is set; nothing where this client may not see it."""
    from kafka.admin import ConfigResource, ConfigResourceType

    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    if not resources:
        return {}
    found: Mapping[str, Mapping[str, Mapping[str, str]]] = admin.describe_configs(resources, config_filter="all")[
        "topic"
    ]
    return {name: {key: entry["value"] for key, entry in entries.items()} for name, entries in found.items()}
