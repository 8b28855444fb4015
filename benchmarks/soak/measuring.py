"""`headrace bench soak`: one worker under a steady load for so many minutes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, takewhile
from typing import Final

from msgspec import Struct

from benchmarks.machine import Machine, machine
from benchmarks.road import workload
from benchmarks.road.contestants import CONTESTANTS
from benchmarks.road.feeding import feed
from benchmarks.road.ground import Running, ground
from benchmarks.road.measuring import await_committed, work_off
from benchmarks.road.race import models
from benchmarks.road.workload import Size
from benchmarks.soak.latency import Minute, by_minute
from benchmarks.soak.samples import PARTS, Growth, Sample, Sampler, growth
from streams.recordings.reading import Record
from streams.recordings.traffic.broker import Broker
from streams.topics import Topic

_BACKLOG: Final = 30_000
SHOPPERS: Final = 1_000
_GROWN: Final = 1_800_000
"""Events of 216 hours: an item's row keeps a week of windows, a shopper's fifty events and 1,024 items that were seen,
and what an event costs goes up with all of them, by half and more. A soak that begins before they are full measures how
they fill. With five thousand shoppers Valkey gained 0.6 MB a minute for their lists of items alone."""
_GROWN_AT_ONCE: Final = 100_000
_SETTLING_S: Final = 180.0
"""Under the load before anything counts: the model's process is new, and so is the rate."""
_BEHIND_S: Final = 60.0
_BLOCK: Final = 2_000
"""Events made at a time: so few that making them delays none."""

Tell = Callable[[str], None]


class Soaked(Struct):
    """What a long run came to.

    Attributes:
        rate: events a second, `percent` of what the worker does from a backlog.
        kept_up: whether never more than a minute's events waited; else the load ended there.
        samples, minutes: of the whole load.
        growth: by what, without the first three minutes; nothing of a load that has ended soon after.
    """

    command: str
    machine: Machine
    percent: float
    rate: float
    kept_up: bool
    samples: list[Sample]
    minutes: list[Minute]
    growth: dict[str, Growth]


def soak(size: Size, minutes: float, percent: float, seed: int, command: str, tell: Tell) -> Soaked:
    """Let a shop grow, measure what the worker does from a backlog, then feed it a share of that.

    It grows with a model that costs nothing: what is kept is the same, and is there in a third of the time.
    """
    contestant = CONTESTANTS["headrace"]
    with ground(lambda *_: None) as here:
        model, null = models(here.home, size, seed, tell)
        here.send(workload.catalogue(size, seed), lambda *_: None)
        here.publish(null)
        with here.running(contestant) as running:
            stream = _endless(size._replace(shoppers=SHOPPERS), seed)
            _grow(running, stream, tell)
            here.publish(model)
            warm_up, backlog = list(islice(stream, _BACKLOG)), list(islice(stream, _BACKLOG))
            done = work_off(contestant, running, warm_up, backlog)
            rate = done.events_per_second * percent / 100
            tell(f"{done.events_per_second:,.0f} events/s from a backlog; {rate:,.0f} for {minutes:g} minutes")
            fed = islice(stream, int(rate * (minutes * 60 + _SETTLING_S)))
            samples, latency = _run(running, fed, rate)
    kept_up = all(sample.behind <= rate * _BEHIND_S for sample in samples)
    return Soaked(command, machine(), percent, round(rate, 1), kept_up, samples, latency, summed(samples, latency))


def _grow(running: Running, stream: Iterator[Record], tell: Tell) -> None:
    with Broker(running.settings.kafka_connection) as broker:
        for grown in range(0, _GROWN, _GROWN_AT_ONCE):
            tell(f"the shop grows: {grown:,} of {_GROWN:,} events")
            events = islice(stream, min(_GROWN_AT_ONCE, _GROWN - grown))
            feed(running.settings.kafka_address, running.settings.partitions, events)
            await_committed(broker, running, CONTESTANTS["headrace"].topics(running.settings.group))


def _run(running: Running, events: Iterator[Record], rate: float) -> tuple[list[Sample], list[Minute]]:
    address, topics = running.settings.kafka_address, [Topic.EVENTS, Topic.RECOMMENDATIONS]
    with Broker(running.settings.kafka_connection) as broker:
        before = broker.ends(topics)
        with Sampler(running) as sampler:
            in_time = takewhile(lambda _: sampler.behind <= rate * _BEHIND_S, events)
            feed(address, running.settings.partitions, in_time, rate)
        await_committed(broker, running, [Topic.EVENTS])
        return sampler.samples, by_minute(address, before, broker.ends(topics))


def _endless(size: Size, seed: int) -> Iterator[Record]:
    first = 0
    while True:
        yield from workload.events(size._replace(events=_BLOCK), seed, first)
        first += _BLOCK


def settled(samples: Sequence[Sample]) -> list[Sample]:
    """Those that count."""
    return [sample for sample in samples if sample.seconds >= _SETTLING_S]


def whole(minutes: Sequence[Minute]) -> list[Minute]:
    """Those that count: the last is no whole one."""
    return [minute for minute in minutes[:-1] if minute.minute * 60 >= _SETTLING_S]


def held_throughout(samples: Sequence[Sample]) -> list[str]:
    """What all samples tell the memory of."""
    named = [set(sample.memory_mb) for sample in samples]
    return sorted(set.intersection(*named)) if named else []


def summed(samples: Sequence[Sample], minutes: Sequence[Minute]) -> dict[str, Growth]:
    """What each series gains once it has settled."""
    late, answers = settled(samples), whole(minutes)
    series = {f"{name}, MB": {s.seconds: s.memory_mb[name] for s in late} for name in held_throughout(late)}
    series["worker, file descriptors"] = {s.seconds: float(s.files) for s in late}
    series["worker, threads"] = {s.seconds: float(s.threads) for s in late}
    series["p50, ms"] = {m.minute * 60.0: m.p50 for m in answers}
    series["p99, ms"] = {m.minute * 60.0: m.p99 for m in answers}
    return {name: growth(values) for name, values in series.items() if len(values) >= PARTS}
