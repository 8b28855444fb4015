"""Quix Streams, event by event: Redis and Triton asked for each, as its `apply` invites to.

Shopper's features, recommendations and click probabilities, and the items' hourly counters in one Redis pipeline; no
forecasts, so less work than Headrace does.

    python -m benchmarks.race.contestants.quix
"""

import signal
import sys
from typing import Any

from quixstreams import Application
from redis import Redis
from tritonclient.grpc import InferenceServerClient

from benchmarks.race.contestants.answering import Message, decode, fold, inputs, messages, outputs, plain
from benchmarks.race.contestants.shop_catalogue import read_catalogue
from feature_repo.shoppers import shopper
from feature_repo.shoppers.shopper import ShopperState
from headrace.arrays import MODEL
from headrace.messages.events import Event
from headrace.settings.model import settings
from headrace.topics import Topic
from streams.serving.shopper_scorer.tensors import to_tensors

chosen = settings()
catalogue = read_catalogue(chosen.kafka_address)
shop = plain(chosen.triton_address)
host, port = chosen.redis_address.split(":")
redis: Any = Redis(host=host, port=int(port))
triton = InferenceServerClient(chosen.triton_address)


def answer(value: bytes) -> list[Message]:
    """Fold one event and answer it."""
    event = decode(value)
    key = f"u:{event.user_id}"
    state = shopper.unpack(redis.get(key) or b"")
    produced: list[Message] = []
    if queries := list(fold(event, state, chosen)):
        arrays, version = outputs(
            triton.infer(MODEL, inputs(to_tensors([one.query for one in queries], shop)._asdict()))
        )
        produced = list(messages(queries, arrays, version, catalogue, chosen))
    _store(key, state, event)
    return produced


def _store(key: str, state: ShopperState, event: Event) -> None:
    pipeline = redis.pipeline(transaction=False)
    pipeline.set(key, shopper.pack(state))
    for item_id in event.items or (event.item_id,):
        pipeline.hincrby(f"i:{item_id}", f"{event.type}:{event.timestamp // chosen.window}", event.quantity)
    pipeline.execute()


def main() -> None:
    """Run until SIGTERM."""
    app = Application(
        broker_address=chosen.kafka_address,
        consumer_group=chosen.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        use_changelog_topics=False,
        loglevel="WARNING",
        commit_interval=0.3,
        producer_extra_config={"linger.ms": 5},
    )
    topics = {t: app.topic(t.value, value_serializer="bytes", key_serializer="bytes") for t in Topic}
    frame = app.dataframe(app.topic(Topic.EVENTS.value, value_deserializer="bytes"))
    frame = frame.apply(answer, expand=True)
    for topic in (Topic.RECOMMENDATIONS, Topic.CTR_SCORES, Topic.FEATURE_LOG):
        part = frame[frame.apply(lambda message, topic=topic: message.topic == topic)]
        part.apply(lambda message: message.value).to_topic(topics[topic])
    signal.signal(signal.SIGTERM, lambda *_: app.stop())
    sys.stderr.write("ready\n")
    sys.stderr.flush()
    app.run()


if __name__ == "__main__":
    main()
