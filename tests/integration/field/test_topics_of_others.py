"""Topics that were there before Headrace: a worker takes them as they are, or says in one line what to change."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType

from headrace.connections.kafka import KafkaConnection
from headrace.settings.model import Settings
from headrace.topics import Topic, TopicSpec, public_topics
from infra.topics.admin import connect, describe, ensure_topics
from streams.testing.client import Client
from streams.testing.worker import Worker
from tests.integration.field.secured_stack import SecuredStack
from tests.integration.field.test_secured_stack import headrace

UNSET = tuple(f"HEADRACE_KAFKA_{name}" for name in ("SECURITY", "SASL_MECHANISM", "USERNAME", "PASSWORD", "CA"))
BESIDE = {"HEADRACE_ANSWER_AGAIN": "on"}  # the stack's own group has answered there
BY_DEFAULT = {"message.timestamp.type": "CreateTime", "max.message.bytes": "1048588"}


@pytest.fixture(scope="module")
def operator(secured_stack: SecuredStack) -> SecuredStack:
    """The stack as whoever runs the cluster reaches it, with the topics of the contract there."""
    ensure_topics(KafkaConnection(secured_stack.admin), public_topics(Settings()))
    theirs = {name: value for name, value in secured_stack.environment.items() if name not in UNSET}
    return secured_stack._replace(
        environment={**theirs, "HEADRACE_KAFKA": secured_stack.admin, "HEADRACE_GROUP": "others", **BESIDE}
    )


@pytest.fixture
def kafka(secured_stack: SecuredStack) -> KafkaConnection:
    return KafkaConnection(secured_stack.admin)


@contextmanager
def set_otherwise(kafka: KafkaConnection, topic: str, **config: str) -> Iterator[None]:
    """A topic set up otherwise for a while."""
    before = describe(kafka, [topic])[topic].config or {}
    changed = {name.replace("_", "."): value for name, value in config.items()}
    configure(kafka, topic, changed)
    try:
        yield
    finally:
        configure(kafka, topic, {name: before[name] for name in changed})


def configure(kafka: KafkaConnection, topic: str, config: dict[str, str]) -> None:
    with connect(kafka, 10_000) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, config)])


def recreate(kafka: KafkaConnection, spec: TopicSpec) -> None:
    with connect(kafka, 10_000) as admin:
        admin.delete_topics([spec.name])
    while spec.name in describe(kafka, [spec.name]):
        pass
    ensure_topics(kafka, [spec])


def test_a_worker_says_what_to_change_and_a_command_changes_it(operator: SecuredStack, kafka: KafkaConnection):
    with (
        set_otherwise(kafka, Topic.EVENTS, message_timestamp_type="CreateTime"),
        set_otherwise(
            kafka, Topic.ITEMS, message_timestamp_type="CreateTime", cleanup_policy="delete", retention_ms="60000"
        ),
        set_otherwise(kafka, Topic.FEATURE_LOG, max_message_bytes="1000"),
        set_otherwise(kafka, Topic.DEAD_LETTERS, cleanup_policy="compact"),
    ):
        message = headrace(operator, "worker", "--processes", "1", exit_code=1).splitlines()[-1]
        for part in (
            "events has message.timestamp.type=CreateTime, and needs LogAppendTime",
            "items has message.timestamp.type=CreateTime, and needs LogAppendTime",
            "feature.log has max.message.bytes=1000, and needs 589824 or more",
            "dead.letters has cleanup.policy=compact, and needs delete",
            "`headrace topics alter` changes it",
            f"--bootstrap-server {operator.admin} --alter --entity-type topics",
        ):
            assert part in message
        assert headrace(operator, "topics", "create", exit_code=1).splitlines()[-1].startswith("headrace:")
        changed = headrace(operator, "topics", "alter").splitlines()
        assert sorted(changed) == [
            "dead.letters: cleanup.policy compact → delete",
            "events: message.timestamp.type CreateTime → LogAppendTime",
            "feature.log: max.message.bytes 1000 → 4259840",
            "items: cleanup.policy delete → compact",
            "items: message.timestamp.type CreateTime → LogAppendTime",
        ]
        assert headrace(operator, "topics", "alter") == "nothing to change\n"
        headrace(operator, "topics", "create")


def test_what_no_command_of_headrace_can_change_is_said_too(operator: SecuredStack, kafka: KafkaConnection):
    with set_otherwise(kafka, Topic.RECOMMENDATIONS, min_insync_replicas="2"):
        message = headrace(operator, "worker", "--processes", "1", exit_code=1).splitlines()[-1]
        assert "recommendations has min.insync.replicas=2, and needs at most 1" in message
        assert "change it with the cluster's own tools" in message


def test_a_missing_output_is_said_at_start(operator: SecuredStack, kafka: KafkaConnection):
    with connect(kafka, 10_000) as admin:
        admin.delete_topics([Topic.CTR_SCORES])
    try:
        message = headrace(operator, "worker", "--processes", "1", exit_code=1).splitlines()[-1]
        assert "No topic ctr.scores: create it with `headrace topics create`" in message
    finally:
        headrace(operator, "topics", "create")


def test_outputs_as_brokers_make_them_are_written_to(
    operator: SecuredStack,
    kafka: KafkaConnection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    """One partition, times of the producer's, 1 MB at most, while `events` has four partitions."""
    usual = {spec.name: spec for spec in public_topics(Settings())}
    odd = (Topic.RECOMMENDATIONS, Topic.CTR_SCORES, Topic.FEATURE_LOG, Topic.DEAD_LETTERS, Topic.DEMAND_FORECASTS)
    for topic in odd:
        recreate(kafka, TopicSpec(topic, 1, 1, BY_DEFAULT))
    log = tmp_path / "worker.log"
    environment = operator.environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    from headrace.settings.model import load_settings

    settings = load_settings()
    with Client(settings) as client:
        worker = Worker(environment, log)
        try:
            producer = KafkaProducer(bootstrap_servers=operator.admin, max_request_size=4_000_000)
            long_ago = 1_000_000_000_000
            for number in range(40):
                user = f"shopper-{number}"
                event = (
                    f'{{"event_id": "{number}", "type": "view", "user_id": "{user}", "timestamp": {long_ago}, '
                    '"item_id": "mug"}'
                )
                producer.send(Topic.EVENTS, key=user.encode(), value=event.encode())
            for size in (900_000, 2_000_000):
                producer.send(Topic.EVENTS, key=b"large", value=b"x" * size)
            producer.flush()
            wanted = {str(number) for number in range(40)}
            answers = client.expect(
                Topic.RECOMMENDATIONS, count=40, where=lambda answer: answer.value["event_id"] in wanted
            )
            assert {answer.value["event_id"] for answer in answers} == wanted
            # Stamped with the time of its writing: an answer to an old event is not one that retention deletes.
            assert min(answer.timestamp for answer in answers) > long_ago + 86_400_000
            letters = client.expect(Topic.DEAD_LETTERS, count=2)
            assert {letter.headers["headrace.reason"] for letter in letters} == {"too_large"}
            assert sorted(len(letter.raw or b"") for letter in letters) == [0, 900_000]
        finally:
            assert worker.stop() == 0
            for topic in odd:
                recreate(kafka, usual[topic])
    assert "dead.letters has max.message.bytes=1048588, and needs" in log.read_text()
