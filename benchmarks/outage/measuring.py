"""Events come at a steady rate; something is taken away in their midst and comes back; every answer is looked at."""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from threading import Thread
from typing import Final

from msgspec import Struct

from benchmarks.chaos.servers import Servers
from benchmarks.machine import Machine, machine
from benchmarks.outage.answers import Moments, Outage, judge
from benchmarks.road import workload
from benchmarks.road.contestants import CONTESTANTS
from benchmarks.road.feeding import feed
from benchmarks.road.ground import Ground, Running, ground
from benchmarks.road.race import models
from benchmarks.road.workload import Size
from infra.local.stack import up
from streams.recordings.reading import Record
from streams.recordings.traffic.broker import Broker
from streams.recordings.traffic.listening import Listener
from streams.recordings.traffic.waiting import lag
from streams.topics import Topic

_BEFORE_S: Final = 15.0
_AWAY_S: Final = 15.0
_AFTER_S: Final = 30.0
_PATIENCE_S: Final = 120.0
_POLL_S: Final = 0.2

Tell = Callable[[str], None]
Struck = AbstractContextManager[object]


class Outages(Struct):
    """All that was measured, by what was away."""

    command: str
    machine: Machine
    seed: int
    rate: float
    outages: dict[str, Outage]


def measure(size: Size, rate: float, seed: int, command: str, tell: Tell) -> Outages:
    """Take away Triton, Valkey and one of two workers, each in a run of its own."""
    found: dict[str, Outage] = {}
    with ground(lambda *_: None) as here:
        model, _ = models(here.home, size, seed, tell)
        here.send(workload.catalogue(size, seed), lambda *_: None)
        here.publish(model)
        servers = Servers(here.settings)
        needed = int(rate * (_BEFORE_S + _AWAY_S + _AFTER_S))
        stream = list(workload.events(size._replace(events=needed), seed))
        cases: dict[str, tuple[int, Callable[[Running], Struck]]] = {
            "Triton killed": (1, lambda _: servers.killed("triton")),
            "Triton stopped": (1, lambda _: servers.stopped("triton")),
            "Valkey killed": (1, lambda _: servers.killed("redis")),
            "one of two workers killed": (2, _without_a_worker),
        }
        for name, (workers, strike) in cases.items():
            up(here.settings, lambda _: None)  # what did not outlive the case before
            found[name] = _run(here, stream, rate, workers, strike)
            tell(f"{name}: {found[name]}")
    return Outages(command, machine(), seed, rate, found)


@contextmanager
def _without_a_worker(running: Running) -> Generator[None]:
    """Kill the first worker; nobody starts it again."""
    running.worker.kill()
    yield


def _run(
    here: Ground, stream: Sequence[Record], rate: float, workers: int, strike: Callable[[Running], Struck]
) -> Outage:
    address, partitions = here.settings.kafka_address, here.settings.partitions
    topics = [Topic.EVENTS, Topic.RECOMMENDATIONS, Topic.CTR_SCORES]
    with (
        here.running(CONTESTANTS["headrace"], workers) as running,
        Listener(address, topics, from_beginning=False) as listener,
    ):
        feeder = Thread(target=feed, args=(address, partitions, stream, rate))
        feeder.start()
        time.sleep(_BEFORE_S)
        gone = _now_ms()
        with strike(running):
            time.sleep(_AWAY_S)
        moments = Moments(gone, _now_ms())
        feeder.join()
        _await_committed(address, running.settings.group)
        return judge(listener.until_now(), moments)


def _await_committed(address: str, group: str) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    with Broker(address) as broker:
        ends, beginnings = broker.ends([Topic.EVENTS]), broker.beginnings([Topic.EVENTS])
        while lag(ends, beginnings, broker.committed(group)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
