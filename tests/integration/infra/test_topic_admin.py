"""Topics are created once, and what is wrong with existing ones is said."""

import uuid

import pytest

from headrace.errors import StackError
from headrace.settings.model import Settings
from headrace.topics import TopicSpec
from infra.topics.admin import alter, connect, describe, ensure_topics
from infra.topics.check import mismatches


def spec(name: str, **config: str) -> TopicSpec:
    return TopicSpec(name, 3, 1, config)


def test_a_missing_topic_is_created_as_specified_and_an_existing_one_left_alone(local_stack: Settings) -> None:
    name = f"test.{uuid.uuid4()}"
    wanted = spec(name, **{"message.timestamp.type": "LogAppendTime"})
    assert ensure_topics(local_stack.kafka_connection, [wanted]) == ([name], [])
    assert ensure_topics(local_stack.kafka_connection, [wanted._replace(partitions=5)]) == ([], [name])
    with connect(local_stack.kafka_connection, 10_000) as admin:
        assert len(admin.describe_topics([name])[0]["partitions"]) == 3


def test_a_topic_is_described_as_it_is_and_changed(local_stack: Settings) -> None:
    name = f"test.{uuid.uuid4()}"
    kafka = local_stack.kafka_connection
    ensure_topics(kafka, [spec(name, **{"max.message.bytes": "1000"})])
    found = describe(kafka, [name, "not.there"])
    assert list(found) == [name]
    assert (found[name].partitions, found[name].replicas) == (3, 1)
    assert found[name].config["message.timestamp.type"] == "CreateTime"
    alter(kafka, mismatches(found[name], local_stack))
    assert mismatches(describe(kafka, [name])[name], local_stack) == []


def test_a_topic_that_kafka_refuses_is_an_error_with_kafkas_reason(local_stack: Settings) -> None:
    with pytest.raises(StackError, match=r"test\.impossible: .*replication factor"):
        ensure_topics(local_stack.kafka_connection, [TopicSpec("test.impossible", 1, 3, {})])
