"""What compressing outputs costs a worker's thread, and what it saves on the broker.

    python -m benchmarks.compression

Recommendations and feature logs of one batch after the other, as a worker sends them, to topics of the run's own on the
cluster of the settings. Milliseconds of CPU time of this process, so that other work beside it counts little.
"""

import asyncio
import json
import random
import time
from pathlib import Path
from statistics import median
from typing import Any, Final, cast
from uuid import uuid4

from headrace.messages.outputs import FeatureLog, ModelRef, Recommendation, RecommendationReason, RecommendedItem
from headrace.settings.model import Compression, Settings, load_settings
from headrace.topics import Topic, TopicSpec
from infra.topics.admin import connect, ensure_topics
from infra.topics.check import Outputs
from streams.pipeline.emit import Outbox, Producer

_OUT: Final = Path("benchmarks/results/compression.json")
_BATCHES, _EVENTS_A_BATCH, _RUNS = 100, 100, 5
_PARTITIONS: Final = 4
_MODEL: Final = ModelRef("headrace", "3")
_KINDS: Final = ("view", "purchase", "description", "popular")
_ADJECTIVES: Final = ("Blue", "Oak", "Striped", "Small", "Vintage", "Enamel", "Woven", "Large", "Soft", "Folding")
_NOUNS: Final = ("mug", "lamp", "chair", "tea towel", "lunch box", "cushion", "clock", "garden bench", "tray", "frame")


def main() -> None:
    """Measure and write."""
    chosen = load_settings()
    batches = _batches(random.Random(7))
    runs: dict[str, list[tuple[float, int]]] = {codec: [] for codec in Compression}
    for _ in range(_RUNS):
        for codec in Compression:
            settings = chosen.model_copy(update={"compression": codec})
            runs[codec].append(asyncio.run(_send(settings, batches)))
    messages = 2 * _BATCHES * _EVENTS_A_BATCH
    plain = runs[Compression.NONE][0][1]
    found = {
        codec: {
            "cpu_us_an_output": round(median(cpu for cpu, _ in those) / messages * 1e6, 1),
            "cpu_ms_a_megabyte": round(median(cpu for cpu, _ in those) * 1e3 / (plain / 1e6), 2),
            "megabytes": round(those[0][1] / 1e6, 2),
            "share_of_plain": round(those[0][1] / plain, 3),
        }
        for codec, those in runs.items()
    }
    _OUT.write_text(json.dumps({"outputs": messages, "codecs": found}, indent=2) + "\n")
    print(_OUT.read_text())


async def _send(settings: Settings, batches: list[list[tuple[Topic, str, Any]]]) -> tuple[float, int]:
    """CPU seconds of sending all batches, and bytes that the broker keeps of them."""
    names = {topic: f"headrace.bench.{uuid4().hex[:8]}.{topic}" for topic in (Topic.RECOMMENDATIONS, Topic.FEATURE_LOG)}
    ensure_topics(settings.kafka_connection, [TopicSpec(name, _PARTITIONS, 1, {}) for name in names.values()])
    producer = await Producer.open(settings, Outputs({}))
    before = time.process_time()
    for batch in batches:
        outbox = Outbox(settings, _PARTITIONS)
        for topic, user, output in batch:
            outbox.add(cast(Topic, names[topic]), user, output, output.timestamp)
        await producer.send(outbox)
    took = time.process_time() - before
    await producer.close()
    with connect(settings.kafka_connection, 10_000) as admin:
        kept = _bytes_of(admin.describe_log_dirs(), set(names.values()))
        admin.delete_topics(list(names.values()))
    return took, kept


def _bytes_of(described: Any, topics: set[str]) -> int:
    return sum(
        partition["partition_size"]
        for node in described
        for log_dir in node["log_dirs"]
        for topic in log_dir["topics"]
        if topic["name"] in topics
        for partition in topic["partitions"]
    )


def _batches(rng: random.Random) -> list[list[tuple[Topic, str, Any]]]:
    titles = {f"item-{n:04d}": f"{rng.choice(_ADJECTIVES)} {rng.choice(_NOUNS)} {n}" for n in range(2_000)}
    return [[output for _ in range(_EVENTS_A_BATCH) for output in _outputs(rng, titles)] for _ in range(_BATCHES)]


def _outputs(rng: random.Random, titles: dict[str, str]) -> list[tuple[Topic, str, Any]]:
    user, now = f"user-{rng.randrange(20_000)}", 1_767_225_600_000 + rng.randrange(86_400_000)
    event = f"{rng.getrandbits(128):032x}"
    recent = rng.choices(list(titles), k=rng.randrange(1, 50))
    items = [
        RecommendedItem(item, rng.random() * 9, rng.random() / 5, [_reason(rng, titles, recent) for _ in range(2)])
        for item in rng.sample(list(titles), 20)
    ]
    name = f"recommend/{event}"
    answer = Recommendation(id=name, timestamp=now, model=_MODEL, event_id=event, user_id=user, items=items)
    features = {
        "recent_items": recent,
        "recent_actions": rng.choices(_KINDS, k=len(recent)),
        "recent_times": sorted(now - rng.randrange(10**9) for _ in recent),
        "channel": "web",
        "context": {"page": "product", "device": "phone"},
    }
    log = FeatureLog(
        output_id=name,
        scenario="recommend",
        user_id=user,
        timestamp=now,
        features=features,
        model=_MODEL,
        event_id=event,
    )
    return [(Topic.RECOMMENDATIONS, user, answer), (Topic.FEATURE_LOG, user, log)]


def _reason(rng: random.Random, titles: dict[str, str], recent: list[str]) -> RecommendationReason:
    item = rng.choice(recent)
    return RecommendationReason(rng.choice(_KINDS), f"because you viewed {titles[item]}", rng.random(), item)


if __name__ == "__main__":
    main()
