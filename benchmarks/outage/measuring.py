"""Events come at a steady rate; something is taken away in their midst and comes back; every answer is looked at."""

import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from itertools import takewhile
from threading import Event
from typing import Final

import psutil
from msgspec import Struct

from benchmarks.chaos.servers import Servers
from benchmarks.machine import Machine, machine
from benchmarks.outage.answers import Moments, Outage, judge
from benchmarks.outage.losing import Loss, measure_losses
from benchmarks.race import workload
from benchmarks.race.contestants import CONTESTANTS, Contestant
from benchmarks.race.environment import Running, ground
from benchmarks.race.feeding import feed
from benchmarks.race.race import models
from benchmarks.race.workload import Size
from headrace.recording.reading import Record
from headrace.settings.model import Settings
from headrace.topics import Topic
from infra.local.stack import up
from streams.kafka.admin.broker import Broker
from streams.operations.supervisor import worker_command
from streams.recordings.traffic.listening import Listener
from streams.recordings.traffic.waiting import lag

_BEFORE_S: Final = 15.0
_AWAY_S: Final = 15.0
_AFTER_S: Final = 15.0
_PATIENCE_S: Final = 120.0
_POLL_S: Final = 0.2
_LONGEST_S: Final = 240.0
"""A stream that lasts so long covers a server's slow start."""

_WORKER: Final = CONTESTANTS["headrace"]
_SUPERVISED: Final = _WORKER._replace(command=worker_command(2))

OnProgress = Callable[[str], None]
Fault = AbstractContextManager[object]


class Outages(Struct):
    """All that was measured, by what was away."""

    command: str
    machine: Machine
    seed: int
    rate: float
    outages: dict[str, Outage]
    losses: dict[str, Loss]


def measure(size: Size, rate: float, seed: int, command: str, on_progress: OnProgress) -> Outages:
    """Take away Triton, Valkey and one of two workers, and rows of the online store, each in a run of its own."""
    found: dict[str, Outage] = {}
    with ground(lambda *_: None) as here:
        model, _ = models(here.home, size, seed, on_progress)
        here.send(workload.catalogue(size, seed), lambda *_: None)
        here.publish(model)
        servers = Servers(here.settings)
        stream = list(workload.events(size._replace(events=int(rate * _LONGEST_S)), seed))
        cases: dict[str, tuple[Contestant, int, Callable[[Running], Fault]]] = {
            "Triton killed": (_WORKER, 1, lambda _: servers.killed("triton")),
            "Triton stopped": (_WORKER, 1, lambda _: servers.stopped("triton")),
            "Valkey killed": (_WORKER, 1, lambda _: servers.killed("redis")),
            "one of two workers killed": (_WORKER, 2, _without_a_worker),
            "one of two supervised workers killed": (_SUPERVISED, 1, _without_a_child),
        }
        for name, (contestant, workers, inject) in cases.items():
            up(here.settings, lambda _: None)  # what did not outlive the case before
            with here.running(contestant, workers) as running:
                found[name] = _run(running, stream, rate, inject)
            on_progress(f"{name}: {found[name]}")
        losses = measure_losses(here, stream, rate, on_progress)
    return Outages(command, machine(), seed, rate, found, losses)


@contextmanager
def _without_a_worker(running: Running) -> Generator[None]:
    """Kill the first worker; nobody starts it again."""
    running.worker.kill()
    yield


@contextmanager
def _without_a_child(running: Running) -> Generator[None]:
    """Kill a worker that is looked after: the one that owns partition 0 or the other, whichever began first."""
    psutil.Process(running.worker.pid).children()[0].kill()
    yield


def _run(running: Running, stream: Sequence[Record], rate: float, inject: Callable[[Running], Fault]) -> Outage:
    address, partitions = running.settings.kafka_address, running.settings.partitions
    topics = [Topic.EVENTS, Topic.RECOMMENDATIONS, Topic.CTR_SCORES]
    over = Event()
    events = takewhile(lambda _: not over.is_set(), stream)
    with (
        Listener(running.settings.kafka_connection, topics, from_beginning=False) as listener,
        ThreadPoolExecutor(1) as feeder,
    ):
        fed = feeder.submit(feed, address, partitions, events, rate)
        try:
            time.sleep(_BEFORE_S)
            gone = _now_ms()
            with inject(running):
                time.sleep(_AWAY_S)
            moments = Moments(gone, _now_ms())
            time.sleep(_AFTER_S)
        finally:
            over.set()
        fed.result()
        _await_committed(running.settings)
        return judge(listener.until_now(), moments)


def _await_committed(settings: Settings) -> None:
    """Until the group has committed everything, or long enough: the worker that was started may be the one killed."""
    deadline = time.monotonic() + _PATIENCE_S
    with Broker(settings.kafka_connection) as broker:
        ends, beginnings = broker.ends([Topic.EVENTS]), broker.beginnings([Topic.EVENTS])
        while lag(ends, beginnings, broker.committed(settings.group)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
