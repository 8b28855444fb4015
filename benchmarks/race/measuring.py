"""What is measured of a contestant: its rate from a backlog, its latency under a steady load, what both cost."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final
from urllib.request import urlopen

import msgspec
import numpy as np
import psutil
from kafka import KafkaConsumer
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.race.contestants import Contestant
from benchmarks.race.environment import Running
from benchmarks.race.feeding import feed
from headrace.errors import CheckFailed
from headrace.recording.reading import Record
from headrace.topics import Topic
from streams.kafka.admin.broker import Broker, Offsets
from streams.recordings.traffic.waiting import lag

PERCENTILES: Final = (50, 95, 99, 99.9)
_POLL_S: Final = 0.1
_PATIENCE_S: Final = 120.0
_ANSWERS: Final = (Topic.RECOMMENDATIONS, Topic.CTR_SCORES)


class Backlog(Struct):
    """A backlog worked off.

    Attributes:
        cpu_ms_per_event: of each process: CPU seconds for 1,000 events.
        memory_mb: resident at the end.
        steps_s: Headrace's own account, "pipeline: step" to seconds; of its first process alone.
        rekeyed: events that it forwarded to their shopper's partition; of its first process alone.
    """

    events: int
    seconds: float
    events_per_second: float
    answers: int
    cpu_ms_per_event: dict[str, float]
    memory_mb: dict[str, float]
    steps_s: dict[str, float]
    rekeyed: int = 0


class SteadyLoad(Struct):
    """Latency from append of an event to append of its answer, ms, while events came at a steady rate.

    Attributes:
        cpu_ms_per_event: of each process: CPU seconds for 1,000 events, warm-up included.
        events_per_batch: of Headrace's shopper pipeline, mean; None where the contestant does not count batches.
    """

    rate: float
    answers: int
    latency_ms: dict[str, float]
    cpu_ms_per_event: dict[str, float] = {}
    events_per_batch: float | None = None


class _Head(Struct):
    event_id: str


def work_off(contestant: Contestant, running: Running, warm_up: Sequence[Record], events: Sequence[Record]) -> Backlog:
    """Rate at which a warm contestant answers and commits events that wait."""
    topics = contestant.topics(running.settings.group)
    address, partitions = running.settings.kafka_address, _partitions(contestant, running)
    with Broker(running.settings.kafka_connection) as broker:
        feed(address, partitions, warm_up)
        await_committed(broker, running, topics)
        before, taken, cpu, rekeyed = broker.ends(_ANSWERS), steps(running), _cpu(running), _rekeyed(running)
        began = time.perf_counter()
        feed(address, partitions, events)
        await_committed(broker, running, topics)
        seconds = time.perf_counter() - began
        after = broker.ends(_ANSWERS)
        return Backlog(
            events=len(events),
            seconds=round(seconds, 3),
            events_per_second=round(len(events) / seconds, 1),
            answers=sum(after.values()) - sum(before.values()),
            cpu_ms_per_event=_per_event(running, cpu, len(events)),
            memory_mb={name: round(_memory(found) / 2**20) for name, found in running.processes.items()},
            steps_s={name: round(s - taken.get(name, 0.0), 3) for name, s in steps(running).items()},
            rekeyed=int(_rekeyed(running) - rekeyed),
        )


def measure_latency(
    contestant: Contestant, running: Running, events: Sequence[Record], rate: float, warm_up: int
) -> SteadyLoad:
    """Latency of answers to events that come at a steady rate; the first `warm_up` are not counted."""
    address = running.settings.kafka_address
    with Broker(running.settings.kafka_connection) as broker:
        before, cpu, batches = broker.ends([Topic.EVENTS, *_ANSWERS]), _cpu(running), _batches(running)
        feed(address, _partitions(contestant, running), events, rate)
        await_committed(broker, running, contestant.topics(running.settings.group))
        after, cost = broker.ends([Topic.EVENTS, *_ANSWERS]), _per_event(running, cpu, len(events))
        batches = _batches(running) - batches
    found = appended(address, before, after)
    counted = {msgspec.json.decode(r.value or b"", type=_Head).event_id for r in events[warm_up:]}
    appended_ms = {event: ms for topic, event, ms in found if topic == Topic.EVENTS}
    waited = [ms - appended_ms[event] for topic, event, ms in found if topic != Topic.EVENTS and event in counted]
    if not waited:
        raise CheckFailed(f"{contestant.title} answered none of {len(counted)} events")
    values = np.percentile(np.array(waited), PERCENTILES)
    named = {f"p{p:g}": round(float(v), 1) for p, v in zip(PERCENTILES, values, strict=True)}
    return SteadyLoad(
        round(rate, 1), len(waited), named, cost, round(len(events) / batches, 2) if batches > 0 else None
    )


def appended(address: str, before: Offsets, after: Offsets) -> list[tuple[str, str, int]]:
    """Topic, event id and append time of everything between two ends."""
    consumer = KafkaConsumer(
        bootstrap_servers=address, enable_auto_commit=False, isolation_level="read_committed", max_poll_records=5_000
    )
    wanted = [partition for partition in after if after[partition] > before[partition]]
    consumer.assign(wanted)
    for partition in wanted:
        consumer.seek(partition, before[partition])
    decode = msgspec.json.Decoder(_Head).decode
    found: list[tuple[str, str, int]] = []
    while any(consumer.position(partition) < after[partition] for partition in wanted):
        for records in consumer.poll(timeout_ms=1_000).values():
            found += [(r.topic, decode(r.value).event_id, r.timestamp) for r in records]
    consumer.close()
    return found


def await_committed(broker: Broker, running: Running, topics: Sequence[str]) -> None:
    """Until the group has committed everything on its topics: one after the other, since each may cause the next."""
    group = running.settings.group
    for topic in topics:
        ends, beginnings = broker.ends([topic]), broker.beginnings([topic])
        before, since = -1, time.perf_counter()
        while left := lag(ends, beginnings, broker.committed(group)):
            if left != before:
                before, since = left, time.perf_counter()
            if time.perf_counter() - since > _PATIENCE_S:
                raise CheckFailed(f"{group} has committed nothing of {topic} for {_PATIENCE_S:.0f} s: see its log")
            if not running.worker.running:
                raise CheckFailed(f"{group} has ended: {running.worker.log_tail(5)}")
            time.sleep(_POLL_S)


def _partitions(contestant: Contestant, running: Running) -> int | None:
    return None if contestant.crc32 else running.settings.partitions


def _per_event(running: Running, before: Mapping[str, float], events: int) -> dict[str, float]:
    return {name: round(1000 * (s - before[name]) / events, 4) for name, s in _cpu(running).items()}


def _rekeyed(running: Running) -> float:
    return metric_by_labels(running, "headrace_records_total", "topic", "result").get("events: forwarded", 0.0)


def _batches(running: Running) -> float:
    return metric_by_labels(running, "headrace_batch_records_count", "pipeline").get("shoppers", 0.0)


def _cpu(running: Running) -> Mapping[str, float]:
    return {name: sum(_seconds(process) for process in found) for name, found in running.processes.items()}


def _seconds(process: psutil.Process) -> float:
    with suppress(psutil.NoSuchProcess):
        times = process.cpu_times()
        return times.user + times.system
    return 0.0


def _memory(processes: Sequence[psutil.Process]) -> int:
    found = 0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            found += process.memory_info().rss
    return found


def steps(running: Running) -> Mapping[str, float]:
    """What Headrace says of its steps, seconds by "road: step"; nothing for the others."""
    return metric_by_labels(running, "headrace_pipeline_step_seconds_sum", "pipeline", "step")


def metric_by_labels(running: Running, metric: str, *labels: str) -> Mapping[str, float]:
    """A metric of Headrace's by its labels, joined; nothing where there is none."""
    try:
        with urlopen(f"http://127.0.0.1:{running.metrics_port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return {}
    return {
        ": ".join(sample.labels[label] for label in labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == metric
    }
