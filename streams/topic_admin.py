"""Creates topics, and says where an existing one differs from what the contract needs."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from streams.connections.kafka import KafkaConnection
from streams.errors import StackError
from streams.topics import TopicSpec

#: With another value of these, good records are refused or deleted. The rest is its owner's business.
_CHECKED = ("message.timestamp.type", "max.message.bytes")
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
    """What `ensure_topics` found and did."""

    created: list[str]
    existing: list[str]
    mismatches: list[str]  # a sentence each


def ensure_topics(connection: KafkaConnection, specs: Sequence[TopicSpec]) -> TopicsReport:
    """Create the topics that are missing and wait until each has its leaders; leave existing ones alone.

    Raises:
        StackError: Kafka cannot be reached, or refuses a topic.
    """
    from kafka.errors import KafkaError

    try:
        with connect(connection, _TIMEOUT_MS) as admin:
            present = set(admin.list_topics())
            existing = [spec for spec in specs if spec.name in present]
            created = _create(admin, [spec for spec in specs if spec.name not in present])
            mismatches = _mismatches(admin, existing)
    except KafkaError as error:
        raise StackError(f"Kafka at {connection.address} does not create the topics: {error}") from error
    return TopicsReport(created, [spec.name for spec in existing], mismatches)


def _create(admin: Any, specs: Sequence[TopicSpec]) -> list[str]:
    from kafka.errors import KafkaError, TopicAlreadyExistsError, for_code

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
            raise KafkaError(f"{topic['name']}: {topic['error_message']}")
    admin.wait_for_topics(names, timeout_ms=_TIMEOUT_MS)
    return names


def _mismatches(admin: Any, specs: Sequence[TopicSpec]) -> list[str]:
    from kafka.admin import ConfigResource, ConfigResourceType

    if not specs:
        return []
    resources = [ConfigResource(ConfigResourceType.TOPIC, spec.name) for spec in specs]
    described: Mapping[str, Mapping[str, Mapping[str, str]]] = admin.describe_configs(resources, config_filter="all")[
        "topic"
    ]
    return [
        f"topic {spec.name} has {name}={actual}, and needs {spec.config[name]}"
        for spec in specs
        for name in _CHECKED
        if name in spec.config and (actual := described[spec.name][name]["value"]) != spec.config[name]
    ]
