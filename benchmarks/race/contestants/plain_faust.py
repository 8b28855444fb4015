"""Faust as its tutorial has it: one event at a time, Feast and Triton awaited for each, `topic.send` for each answer.

Only the shopper's features, recommendations and click probabilities: no item counters, no windows, no forecasts, so
less work than Headrace does.

    python -m benchmarks.race.contestants.plain_faust
"""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

import faust
import pandas as pd
from feast import FeatureStore
from tritonclient.grpc.aio import InferenceServerClient

from benchmarks.race.contestants.answering import decode, fold, inputs, messages, outputs, plain
from benchmarks.race.contestants.shop_catalogue import read_catalogue
from feature_repo.registry.repo import definitions, repo_config
from feature_repo.shoppers import shopper
from feature_repo.store.layout import FEATURE
from headrace.arrays import MODEL
from headrace.settings.model import settings
from headrace.topics import Topic
from streams.serving.shopper_scorer.tensors import to_tensors

_VIEW = "shopper"
chosen = settings()
catalogue = read_catalogue(chosen.kafka_address)
shop = plain(chosen.triton_address)


def _feast() -> FeatureStore:
    online = {"type": "redis", "connection_string": chosen.redis_address}
    registry = str(chosen.home / f"{chosen.group}.db")
    config = repo_config(chosen).model_copy(update={"online_config": online, "registry_config": registry})
    store = FeatureStore(config=config)
    store.apply(definitions(chosen))
    return store


store = _feast()
app = faust.App(
    chosen.group,
    broker=f"kafka://{chosen.kafka_address}",
    store="memory://",
    datadir=chosen.home / "faust",
    web_enabled=False,
    worker_redirect_stdouts=False,
    topic_disable_leader=True,
    topic_allow_declare=False,
    autodiscover=False,
    consumer_auto_offset_reset="earliest",
)
events = app.topic(Topic.EVENTS.value, value_serializer="raw", key_serializer="raw")
topics = {t: app.topic(t.value, value_serializer="raw") for t in (*Topic,)}


@app.agent(events)
async def answer(stream: Any) -> None:
    """Fold and answer, event by event."""
    triton = InferenceServerClient(chosen.triton_address)
    async for value in stream:
        event = decode(value)
        found = await store.get_online_features_async(
            features=[f"{_VIEW}:{FEATURE[_VIEW]}"], entity_rows=[{"user_id": event.user_id}]
        )
        state = shopper.unpack(found.to_dict()[FEATURE[_VIEW]][0] or b"")
        queries = list(fold(event, state, chosen))
        if queries:
            tensors = inputs(to_tensors([one.query for one in queries], shop)._asdict())
            arrays, version = outputs(await triton.infer(MODEL, tensors))
            for message in messages(queries, arrays, version, catalogue, chosen):
                await topics[Topic(message.topic)].send(key=message.user_id.encode(), value=message.value)
        row = {
            "user_id": [event.user_id],
            FEATURE[_VIEW]: [shopper.pack(state)],
            "event_timestamp": [datetime.fromtimestamp(event.timestamp / 1000, UTC)],
            "created": [datetime.now(UTC)],
        }
        await store.write_to_online_store_async(_VIEW, df=pd.DataFrame(row))


@app.task
async def publish() -> None:
    """Say when events may come."""
    while not app.consumer.assignment():  # noqa: ASYNC110  (Faust has no event for it)
        await asyncio.sleep(0.05)
    sys.stderr.write("ready\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.argv = [sys.argv[0], "worker", "-l", "warn", "--without-web"]
    app.main()
