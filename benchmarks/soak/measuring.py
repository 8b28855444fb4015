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
from benchmarks.soak.samples import Sample, Sampler, growth
from streams.recordings.reading import Record
from streams.recordings.traffic.broker import Broker
from streams.topics import Topic

_BACKLOG: Final = 30_000
_GROWN: Final = 250_000
"""Events that fill shoppers' histories, mostly: what an event costs goes up with them, by half and more."""
_BEHIND_S: Final = 60.0
_BLOCK: Final = 2_000
"""Events made at a time: so few that making them delays none."""

Tell = Callable[[str], None]


class Soaked(Struct):
    """What a long run came to.

    Attributes:
        rate: events a second, `percent` of what the worker does from a backlog.
        kept_up: whether never more than a minute's events waited; else the load ended there.
        growth: by what: how much a straight line through the second half gains, as a share of its beginning. In the
            first half the rows kept in memory, and the windows that a row keeps, fill up to their bounds.
    """

    command: str
    machine: Machine
    percent: float
    rate: float
    kept_up: bool
    samples: list[Sample]
    minutes: list[Minute]
    growth: dict[str, float]


def soak(size: Size, minutes: float, percent: float, seed: int, command: str, tell: Tell) -> Soaked:
    """Let a shop grow, measure what the worker does from a backlog, then feed it a share of that."""
    contestant = CONTESTANTS["headrace"]
    with ground(lambda *_: None) as here:
        model, _ = models(here.home, size, seed, tell)
        here.send(workload.catalogue(size, seed), lambda *_: None)
        here.publish(model)
        with here.running(contestant) as running:
            stream = _endless(size, seed)
            before, backlog = list(islice(stream, _GROWN)), list(islice(stream, _BACKLOG))
            done = work_off(contestant, running, before, backlog)
            rate = done.events_per_second * percent / 100
            tell(f"{done.events_per_second:,.0f} events/s from a backlog; {rate:,.0f} for {minutes:g} minutes")
            samples, latency = _run(running, islice(stream, int(rate * minutes * 60)), rate)
    kept_up = all(sample.behind <= rate * _BEHIND_S for sample in samples)
    return Soaked(command, machine(), percent, round(rate, 1), kept_up, samples, latency, summed(samples, latency))


def _run(running: Running, events: Iterator[Record], rate: float) -> tuple[list[Sample], list[Minute]]:
    address, topics = running.settings.kafka_address, [Topic.EVENTS, Topic.RECOMMENDATIONS]
    with Broker(address) as broker:
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


def summed(samples: Sequence[Sample], minutes: Sequence[Minute]) -> dict[str, float]:
    """What the second half of each series gains."""
    late = samples[len(samples) // 2 :]
    answers = minutes[len(minutes) // 2 : -1]  # the last minute is no whole one
    series = {f"{name}, MB": {s.seconds: s.memory_mb[name] for s in late} for name in late[0].memory_mb}
    series["worker, file descriptors"] = {s.seconds: float(s.files) for s in late}
    series["worker, threads"] = {s.seconds: float(s.threads) for s in late}
    series["p50, ms"] = {m.minute * 60.0: m.p50 for m in answers}
    series["p99, ms"] = {m.minute * 60.0: m.p99 for m in answers}
    return {name: round(growth(values), 4) for name, values in series.items() if len(values) > 1}
