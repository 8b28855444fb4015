"""Rules 2 and 14 on real topics: recreated topics are noticed, replayed years stay, fallbacks say so."""

import json

import pytest
from kafka import KafkaAdminClient

from feature_repo.basics.schema import SCHEMA
from feature_repo.store.row_store import RowStore
from headrace.connections.kafka import KafkaConnection
from headrace.errors import StackError, StreamError, TopicChanged, UsageError
from headrace.topics import TopicSpec
from infra.topics.admin import ensure_topics
from streams.kafka.admin.topic_identity import identities
from streams.pipeline.emitted import EmittedOutputs
from streams.pipeline.rows.sources import verify_store
from streams.testing import Stack, event, item
from streams.testing.plugin import StartWorker

TOPIC = "headrace.test.recreated"


def recreate(kafka: str, partitions: int) -> None:
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        if TOPIC in admin.list_topics():
            admin.delete_topics([TOPIC])
    finally:
        admin.close()
    ensure_topics(KafkaConnection(kafka), [TopicSpec(TOPIC, partitions, 1, {})])


async def test_a_recreated_topic_stops_the_worker_with_what_to_do(headrace_stack: Stack, headrace_group: str):
    settings = headrace_stack.settings(headrace_group)
    store = await RowStore.open(settings)
    recreate(headrace_stack.kafka, 2)
    await verify_store(settings, [TOPIC], store)
    await verify_store(settings, [TOPIC], store)
    first = identities(KafkaConnection(headrace_stack.kafka), [TOPIC])
    recreate(headrace_stack.kafka, 2)
    assert identities(KafkaConnection(headrace_stack.kafka), [TOPIC]) != first
    with pytest.raises(TopicChanged, match="HEADRACE_GROUP"):
        await verify_store(settings, [TOPIC], store)
    await store.close()


async def test_windows_of_another_length_stop_the_worker_with_what_to_do(headrace_stack: Stack, headrace_group: str):
    settings = headrace_stack.settings(headrace_group)
    store = await RowStore.open(settings)
    await verify_store(settings, ["events"], store)
    longer = settings.model_copy(update={"window": 86_400_000})
    with pytest.raises(StreamError, match=r"HEADRACE_WINDOW=3600000ms.*headrace rebuild"):
        await verify_store(longer, ["events"], store)
    await store.close()


async def test_days_of_another_place_stop_the_worker_with_what_to_do(headrace_stack: Stack, headrace_group: str):
    settings = headrace_stack.settings(headrace_group).model_copy(update={"window": 86_400_000})
    store = await RowStore.open(settings)
    await verify_store(settings, ["events"], store)
    await verify_store(settings, ["events"], store)
    berlin = settings.model_copy(update={"timezone": "Europe/Berlin"})
    with pytest.raises(StreamError, match=r"in UTC, not 86400000 ms in Europe/Berlin.*HEADRACE_TIMEZONE=UTC"):
        await verify_store(berlin, ["events"], store)
    await store.close()


async def test_a_rebuild_needs_the_rows_of_the_group_that_it_is_of(headrace_stack: Stack, headrace_group: str):
    settings = headrace_stack.settings(headrace_group).model_copy(update={"rebuild_of": f"{headrace_group}-not"})
    with pytest.raises(UsageError, match="no group of this name"):
        await EmittedOutputs.open(settings)


async def test_a_rebuild_is_not_of_a_group_that_has_read_another_topic(headrace_stack: Stack, headrace_group: str):
    old = headrace_stack.settings(f"{headrace_group}-old")
    store = await RowStore.open(old)
    await store.remember({"events": "another-id:4"})
    await store.close()
    settings = headrace_stack.settings(headrace_group).model_copy(update={"rebuild_of": old.group})
    with pytest.raises(TopicChanged, match="recreated since"):
        await EmittedOutputs.open(settings)


async def test_rows_of_a_later_version_stop_the_worker_with_what_to_do(
    headrace_stack: Stack, headrace_group: str, headrace_worker: StartWorker
):
    store = await RowStore.open(headrace_stack.settings(headrace_group))
    await store.raise_schema(SCHEMA + 1)
    await store.close()
    with pytest.raises(StackError, match="ended with status 1") as ended:
        headrace_worker()
    assert "upgrade this program" in str(ended.value)


def test_events_of_years_ago_are_answered_and_kept(headrace_worker: StartWorker, replay, expect):
    headrace_worker()
    replay([item("old", title="Old"), event("view", "past", item_id="old", timestamp=1_291_190_000_000)], wait=True)
    [answer] = expect("recommendations", where=lambda m: m.key == "past")
    assert answer.value["timestamp"] == 1_291_190_000_000
    assert answer.timestamp > 1_700_000_000_000  # the record itself carries its append time


def test_without_triton_answers_go_out_labelled(headrace_worker: StartWorker, replay, expect):
    headrace_worker(HEADRACE_TRITON="127.0.0.1:9")
    impression = event("impression", "no-model", items=["old", "older"])
    catalogue = [item("old", title="Old"), item("older", title="Older")]
    replay([*catalogue, event("view", "no-model", item_id="old"), impression], wait=True)
    [answer] = expect("recommendations", where=lambda m: m.key == "no-model")
    assert answer.value["fallback"] == "model_unavailable"
    assert answer.value["items"]
    [scores] = expect("ctr.scores", where=lambda m: m.key == "no-model")
    assert scores.value["fallback"] == "model_unavailable"
    assert [entry["item_id"] for entry in scores.value["items"]] == json.loads(impression.value)["items"]
