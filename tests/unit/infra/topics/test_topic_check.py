"""What a worker needs of topics that were there before it."""

import pytest

from headrace.settings.model import Settings
from headrace.topics import MAX_MESSAGE_BYTES, Topic, public_topics
from infra.topics.check import FoundTopic, mismatches, sentence

AS_CREATED = {
    "message.timestamp.type": "LogAppendTime",
    "max.message.bytes": str(MAX_MESSAGE_BYTES),
    "min.insync.replicas": "1",
    "cleanup.policy": "delete",
    "retention.ms": "604800000",
    "retention.bytes": "-1",
}
AS_BROKERS_MAKE_THEM = {**AS_CREATED, "message.timestamp.type": "CreateTime", "max.message.bytes": "1048588"}


def found(name: str, config: dict[str, str] | None, replicas: int = 1) -> list[str]:
    return [str(mismatch) for mismatch in mismatches(FoundTopic(name, 4, replicas, config), Settings())]


def test_topics_as_headrace_creates_them_are_right() -> None:
    for spec in public_topics(Settings()):
        assert found(spec.name, AS_CREATED | dict(spec.config)) == []


def test_inputs_stamp_append_time() -> None:
    for topic in (Topic.EVENTS, Topic.SCORE_REQUESTS):
        expected = [f"{topic} has message.timestamp.type=CreateTime, and needs LogAppendTime"]
        assert found(topic, AS_BROKERS_MAKE_THEM) == expected


@pytest.mark.parametrize("topic", [Topic.RECOMMENDATIONS, Topic.CTR_SCORES, Topic.DEMAND_ALERTS, Topic.FEATURE_LOG])
def test_outputs_may_be_as_brokers_make_them(topic: Topic) -> None:
    assert found(topic, AS_BROKERS_MAKE_THEM) == []
    assert found(topic, AS_BROKERS_MAKE_THEM | {"cleanup.policy": "compact"}) == []


def test_an_output_takes_an_answer_to_the_largest_event() -> None:
    small = AS_CREATED | {"max.message.bytes": "500000"}
    assert found(Topic.CTR_SCORES, small) == ["ctr.scores has max.message.bytes=500000, and needs 589824 or more"]
    large = Settings(max_event_bytes=2_000_000)  # pyright: ignore[reportCallIssue]
    [mismatch] = mismatches(FoundTopic(Topic.FEATURE_LOG, 4, 1, AS_BROKERS_MAKE_THEM), large)
    assert (mismatch.wanted, mismatch.bearable) == ("2065536 or more", False)


def test_small_dead_letters_are_borne() -> None:
    [mismatch] = mismatches(FoundTopic(Topic.DEAD_LETTERS, 4, 1, AS_BROKERS_MAKE_THEM), Settings())
    assert mismatch.bearable
    assert str(mismatch).startswith("dead.letters has max.message.bytes=1048588, and needs 4259840 to carry")


@pytest.mark.parametrize("topic", [Topic.EVENTS, Topic.SCORE_REQUESTS, Topic.DEAD_LETTERS, "headrace.g.item-deltas"])
@pytest.mark.parametrize("policy", ["compact", "compact,delete"])
def test_what_compaction_would_destroy_is_refused(topic: str, policy: str) -> None:
    [mismatch] = mismatches(FoundTopic(topic, 4, 1, AS_CREATED | {"cleanup.policy": policy}), Settings())
    assert str(mismatch) == f"{topic} has cleanup.policy={policy}, and needs delete"
    assert not mismatch.bearable


@pytest.mark.parametrize("topic", [Topic.ITEMS, Topic.DEMAND_FORECASTS])
def test_a_table_that_forgets_is_borne_and_said(topic: Topic) -> None:
    [mismatch] = mismatches(FoundTopic(topic, 4, 1, AS_CREATED), Settings())
    assert mismatch.bearable
    assert str(mismatch).startswith(f"{topic} has cleanup.policy=delete, and needs compact")
    assert found(topic, AS_CREATED | {"retention.ms": "-1"}) == []


@pytest.mark.parametrize("topic", [Topic.RECOMMENDATIONS, "headrace.g.rekeyed"])
def test_a_topic_that_takes_no_record_is_refused(topic: str) -> None:
    config = AS_CREATED | {"min.insync.replicas": "2"}
    assert found(topic, config, replicas=2) == []
    [line] = found(topic, config, replicas=1)
    assert line.startswith(f"{topic} has min.insync.replicas=2, and needs at most 1, since so many replicas it has")


def test_what_cannot_be_seen_or_is_not_said_is_taken_for_right() -> None:
    for topic in Topic:
        assert found(topic, None) == []
        assert found(topic, {"cleanup.policy": "compact" if topic in {"items", "demand.forecasts"} else "delete"}) == []


def test_all_of_it_is_one_line_with_what_to_do() -> None:
    topics = [FoundTopic(name, 4, 1, AS_BROKERS_MAKE_THEM) for name in (Topic.EVENTS, Topic.SCORE_REQUESTS)]
    line = sentence([m for topic in topics for m in mismatches(topic, Settings())], "broker:9092")
    assert line == (
        "events has message.timestamp.type=CreateTime, and needs LogAppendTime; score.requests has "
        "message.timestamp.type=CreateTime, and needs LogAppendTime: `headrace topics alter` changes it, as does "
        "`kafka-configs.sh --bootstrap-server broker:9092 --alter --entity-type topics --entity-name events "
        "--add-config message.timestamp.type=LogAppendTime`."
    )


def test_a_topic_is_called_as_it_is_on_the_cluster():
    topic = FoundTopic(Topic.EVENTS, 4, 1, {"message.timestamp.type": "CreateTime"})
    [mismatch] = mismatches(topic, Settings(topic_prefix="acme."))
    assert mismatch.topic == "acme.events"
