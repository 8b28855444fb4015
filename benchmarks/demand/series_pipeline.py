"""What windows cost the item pipeline alone: 100,000 items on real servers, each forecast and judged in every window.

    python -m benchmarks.demand.series_pipeline

A worker's pipeline is driven in this process, without the shopper pipeline beside it: it folds an hour's sales, one of
each item, into their rows, writes them behind their fences and waits for the disk; then the hour's windows close, and
each item's is concluded, its forecast made by Triton, sent to Kafka, its row written once more. One hour, then seven
two days later, judged one after the other. Beside `benchmarks.demand.worker`, where the same thread answers the
shoppers whose sales these are. On a stack of its own, below HEADRACE_HOME.
"""

import argparse
import asyncio
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.machine import machine
from benchmarks.race.environment import Ground, ground
from feature_repo.basics.actions import ACTION_CODE
from headrace.errors import CheckFailed
from headrace.files.atomic import write_atomic
from headrace.messages.internal import ItemUpdate, ItemUpdateBatch, Watermark
from headrace.partitioning import partition_of
from headrace.settings.model import Settings
from headrace.topics import Topic, item_updates
from streams.application.runtime import Runtime
from streams.kafka.admin.broker import Broker
from streams.kafka.admin.copartition import Prepared, prepare
from streams.kafka.transport import Batch, PartitionBatch, RawRecord
from streams.recordings.simulation.simulate import Plan, simulate
from streams.scheduler.slots import BatchSlot
from trainer.train import train

_OUT: Final = Path("benchmarks/results/demand_road.json")
_HOURS: Final = (0, *range(50, 57))
_STEADY: Final = 4
"""Of the last hours: the model is asked for one forecast a window."""
_HOUR_MS: Final = 3_600_000
_START_MS: Final = 1_767_571_200_000
_ENTRIES: Final = 32
"""Of a message, as a batch of 128 records sends to each of four partitions."""
_MESSAGES: Final = 512


class _Sender:
    """Writes messages as the shopper pipeline does, and remembers how far each partition goes."""

    def __init__(self, settings: Settings) -> None:
        self._topic = item_updates(settings.group)
        self._ends: defaultdict[int, int] = defaultdict(int)

    def batch(self, batches: list[tuple[int, ItemUpdateBatch]]) -> Batch:
        """Batches by target partition as the consumer delivers them."""
        records: defaultdict[int, list[RawRecord]] = defaultdict(list)
        for partition, batch in batches:
            value = msgspec.msgpack.encode(batch)
            records[partition].append(RawRecord(self._topic, partition, self._ends[partition], 0, None, value, ()))
            self._ends[partition] += 1
        return Batch([PartitionBatch(self._topic, partition, found) for partition, found in records.items()])


def main() -> None:
    """Drive the pipeline, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    items = parser.parse_args().items
    with ground(lambda *_: None) as here:
        here.publish(_trained(here))
        settings = here.settings.model_copy(update={"group": "demand-road", "trending": False})
        seconds = asyncio.run(_run(settings, prepare(settings), items))
        with Broker(settings.kafka_connection) as broker:
            forecasts = sum(broker.ends([Topic.DEMAND_FORECASTS]).values())
    if forecasts != items * len(_HOURS):
        raise CheckFailed(f"{forecasts} forecasts came of {items * len(_HOURS)} windows")
    steady = seconds[-_STEADY:]
    found = {
        "command": f"python -m benchmarks.demand.series_pipeline --items {items}",
        "machine": machine().sentence(),
        "items": items,
        "seconds_by_hour": [round(one, 1) for one in seconds],
        "windows_closed_per_second": round(items * len(seconds) / sum(seconds)),
        "windows_closed_per_second_steadily": round(items * len(steady) / sum(steady)),
    }
    write_atomic(_OUT, json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


def _trained(here: Ground) -> Path:
    recording, model = here.home / "demand-shop.jsonl", here.home / "demand-model"
    simulate(Plan(users=60, items=40, days=6, anomalies=1), recording)
    train(recording, model, window_ms=_HOUR_MS, horizon=here.settings.horizon, on_progress=lambda *_: None, seed=0)
    return model


async def _run(settings: Settings, prepared: Prepared, items: int) -> list[float]:
    """Seconds of each hour: its sales and its closed windows."""
    runtime = await Runtime.open(settings, prepared)
    sender, seconds = _Sender(settings), list[float]()
    for hour in _HOURS:
        batches = list(_hour(hour, items, settings.partitions))
        batches_in_order = [sender.batch(batches[at : at + _MESSAGES]) for at in range(0, len(batches), _MESSAGES)]
        began = time.perf_counter()
        for batch in batches_in_order:
            await runtime.items.process(batch, BatchSlot(None, lambda: None))
        seconds.append(time.perf_counter() - began)
        print(f"hour {hour}: {seconds[-1]:.1f} s", flush=True)
    await runtime.close()
    return seconds


def _hour(hour: int, items: int, partitions: int) -> Iterator[tuple[int, ItemUpdateBatch]]:
    """An hour's sales by source and target, then each source's word that the hour is over."""
    entries: defaultdict[tuple[int, int], list[ItemUpdate]] = defaultdict(list)
    for item in range(items):
        moment = _START_MS + hour * _HOUR_MS + item * _HOUR_MS // items
        name, source = f"item-{item}", item % partitions
        delta = ItemUpdate(hour * items + item, name, ACTION_CODE["purchase"], moment, 1, 999, False)
        yield from _filled(entries, source, partition_of(name, partitions), delta)
    for (source, target), left in entries.items():
        yield target, _batch(source, left)
    over = _START_MS + (hour + 1) * _HOUR_MS + Settings().lateness
    for source in range(partitions):
        for target in range(partitions):
            yield target, _batch(source, [Watermark((hour + 1) * items, over, False)])


def _filled(
    entries: defaultdict[tuple[int, int], list[ItemUpdate]], source: int, target: int, delta: ItemUpdate
) -> Iterator[tuple[int, ItemUpdateBatch]]:
    """The batch that a delta fills, if it does."""
    gathered = entries[source, target]
    gathered.append(delta)
    if len(gathered) == _ENTRIES:
        yield target, _batch(source, gathered)
        del entries[source, target]


def _batch(source: int, entries: list[ItemUpdate] | list[Watermark]) -> ItemUpdateBatch:
    return ItemUpdateBatch(f"{Topic.EVENTS}/{source}", source, [*entries])


if __name__ == "__main__":
    main()
