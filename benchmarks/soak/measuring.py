"""`headrace bench soak`: one worker under a steady load for so many minutes, in a large shop that bots visit."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, takewhile
from typing import Final

from msgspec import Struct

from benchmarks.machine import Machine, machine
from benchmarks.race import workload
from benchmarks.race.contestants import CONTESTANTS
from benchmarks.race.environment import Running, ground
from benchmarks.race.feeding import feed
from benchmarks.race.measuring import await_committed, work_off
from benchmarks.race.race import models
from benchmarks.race.workload import Size
from benchmarks.soak import shop
from benchmarks.soak.latency import Minute, by_minute
from benchmarks.soak.samples import PARTS, Growth, Sample, Sampler, growth
from benchmarks.soak.shop import Shop
from headrace.recording.reading import Record
from headrace.topics import Topic
from streams.kafka.admin.broker import Broker

_BACKLOG: Final = 20_000
LARGE: Final = Shop(200_000, 200_000)
_TRAINED: Final = Size(events=100_000, shoppers=5_000)
_GROWN: Final = 300_000
"""Events before anything counts: a week of windows for the items' rows. The shoppers' rows are written full."""
_GROWN_AT_ONCE: Final = 50_000
SETTLING: Final = 0.4
"""Share of the load before anything counts. The model's process is new, and so is the rate; and rows of ids that no
catalogue has stay for ten minutes at least."""
_BEHIND_S: Final = 60.0
_EXTERNAL_PROCESS: Final = "kafka"
"""Its heap fills up to a bound of its own."""

OnProgress = Callable[[str], None]


class Soaked(Struct):
    """What a long run came to.

    Attributes:
        rate: events a second, `percent` of what the worker does from a backlog.
        kept_up: whether never more than a minute's events waited; else the load ended there.
        samples, minutes: of the whole load.
        growth: by what, once it has settled; nothing of a load that has ended before.
        grown: of these, the memory of Headrace and its store that has grown for certain.
    """

    command: str
    machine: Machine
    shoppers: int
    items: int
    percent: float
    rate: float
    kept_up: bool
    samples: list[Sample]
    minutes: list[Minute]
    growth: dict[str, Growth]
    grown: list[str]


Found = Callable[[Soaked], object]


def soak(
    large: Shop, minutes: float, percent: float, seed: int, command: str, on_progress: OnProgress, found: Found
) -> Soaked:
    """Fill a shop, measure what the worker does from a backlog, then feed it a share of that.

    Args:
        found: takes what there is, every minute.
    """
    contestant = CONTESTANTS["headrace"]
    with ground(lambda *_: None) as here:
        trained, _ = models(here.home, _TRAINED, seed, on_progress)
        model = here.home / "large"
        shop.make_large(trained, model, large.items)
        here.send(workload.catalogue(large.size, seed), lambda *_: None)
        here.publish(model)
        with here.running(contestant) as running:
            on_progress(f"{large.shoppers:,} shoppers' rows are filled")
            shop.fill_rows(running.settings, large, seed)
            stream = shop.events(large, seed)
            _grow(running, stream, on_progress)
            warm_up, backlog = list(islice(stream, _BACKLOG)), list(islice(stream, _BACKLOG))
            done = work_off(contestant, running, warm_up, backlog)
            rate = done.events_per_second * percent / 100
            on_progress(f"{done.events_per_second:,.0f} events/s from a backlog; {rate:,.0f} for {minutes:g} minutes")

            def so_far(samples: Sequence[Sample], answers: Sequence[Minute]) -> Soaked:
                kept_up = all(sample.behind <= rate * _BEHIND_S for sample in samples)
                gained = summed(samples, answers)
                return Soaked(
                    command,
                    machine(),
                    large.shoppers,
                    large.items,
                    percent,
                    round(rate, 1),
                    kept_up,
                    list(samples),
                    list(answers),
                    gained,
                    grown(gained),
                )

            fed = islice(stream, int(rate * minutes * 60))
            return so_far(*_run(running, fed, rate, lambda samples: found(so_far(samples, []))))


def _grow(running: Running, stream: Iterator[Record], on_progress: OnProgress) -> None:
    with Broker(running.settings.kafka_connection) as broker:
        for gone in range(0, _GROWN, _GROWN_AT_ONCE):
            on_progress(f"a week goes by: {gone:,} of {_GROWN:,} events")
            events = islice(stream, min(_GROWN_AT_ONCE, _GROWN - gone))
            feed(running.settings.kafka_address, running.settings.partitions, events)
            await_committed(broker, running, CONTESTANTS["headrace"].topics(running.settings.group))


def _run(
    running: Running, events: Iterator[Record], rate: float, looked: Callable[[Sequence[Sample]], object]
) -> tuple[list[Sample], list[Minute]]:
    address, topics = running.settings.kafka_address, [Topic.EVENTS, Topic.RECOMMENDATIONS]
    with Broker(running.settings.kafka_connection) as broker:
        before = broker.ends(topics)
        with Sampler(running, looked) as sampler:
            in_time = takewhile(lambda _: sampler.behind <= rate * _BEHIND_S, events)
            feed(address, running.settings.partitions, in_time, rate)
        await_committed(broker, running, [Topic.EVENTS])
        return sampler.samples, by_minute(address, before, broker.ends(topics))


def settled(samples: Sequence[Sample]) -> list[Sample]:
    """Those that count."""
    return [sample for sample in samples if sample.seconds >= SETTLING * samples[-1].seconds]


def whole(minutes: Sequence[Minute]) -> list[Minute]:
    """Those that count: the last is no whole one."""
    return [minute for minute in minutes[:-1] if minute.minute >= SETTLING * minutes[-1].minute]


def grown(gained: dict[str, Growth]) -> list[str]:
    """The memory of Headrace and its store of which this run can tell that it has grown."""
    return [
        name
        for name, gain in gained.items()
        if gain.low > 0 and "MB" in name and not name.startswith(_EXTERNAL_PROCESS)
    ]


def held_throughout(samples: Sequence[Sample]) -> list[str]:
    """What all samples tell the memory of."""
    named = [set(sample.memory_mb) for sample in samples]
    return sorted(set.intersection(*named)) if named else []


def summed(samples: Sequence[Sample], minutes: Sequence[Minute]) -> dict[str, Growth]:
    """What each series gains once it has settled."""
    late, answers = settled(samples), whole(minutes)
    series = {f"{name}, MB": {s.seconds: s.memory_mb[name] for s in late} for name in held_throughout(late)}
    series["rows in the store"] = {s.seconds: float(s.rows) for s in late if s.rows}
    series["worker, file descriptors"] = {s.seconds: float(s.files) for s in late}
    series["worker, threads"] = {s.seconds: float(s.threads) for s in late}
    series["p50, ms"] = {m.minute * 60.0: m.p50 for m in answers}
    series["p99, ms"] = {m.minute * 60.0: m.p99 for m in answers}
    return {name: growth(values) for name, values in series.items() if len(values) >= PARTS}
