"""`headrace bench scale`: workers, shoppers, history, length of the stream."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import Struct

from benchmarks.machine import Machine, machine
from benchmarks.race import workload
from benchmarks.race.contestants import CONTESTANTS
from benchmarks.race.environment import Ground, ground
from benchmarks.race.measuring import Backlog, work_off
from benchmarks.race.race import models
from benchmarks.race.workload import Size
from benchmarks.scale.rows import Stored, StoreSize, by_users, bytes_by_history

WORKERS: Final = (1, 2, 4)
PARTITIONS: Final = 8
_WARM_UP: Final = 4_000
_PARTS: Final = 4


class Scaled(Struct):
    """All that was measured.

    Attributes:
        workers: number of workers → a backlog worked off by them together; memory and CPU of "worker" are all of them.
        parts: quarters of a stream, one after the other, by one worker.
    """

    command: str
    machine: Machine
    seed: int
    size: Size
    history: list[StoreSize]
    users: list[Stored]
    workers: dict[str, Backlog]
    parts: list[Backlog]


def measure(size: Size, users: Sequence[int], seed: int, command: str, on_progress: Callable[[str], None]) -> Scaled:
    """Measure it on a stack of its own with the workload's trained model."""
    found = Scaled(command, machine(), seed, size, [], [], {}, [])
    with ground(lambda *_: None, partitions=PARTITIONS) as here:
        model, _ = models(here.home, size, seed, on_progress)
        on_progress("rows by history")
        found.history = asyncio.run(bytes_by_history(here.settings, seed))
        on_progress("rows by shoppers")
        found.users = asyncio.run(by_users(here.settings, seed, users))
        here.send(workload.catalogue(size, seed), lambda *_: None)
        here.publish(model)
        for workers in WORKERS:
            found.workers[str(workers)] = _with_workers(here, workers, size, seed)
            on_progress(f"{workers} workers: {found.workers[str(workers)].events_per_second:,.0f} events/s")
        on_progress("one worker, part by part")
        found.parts = _in_parts(here, size, seed)
    return found


def _with_workers(here: Ground, workers: int, size: Size, seed: int) -> Backlog:
    headrace = CONTESTANTS["headrace"]
    warm_up = list(workload.events(size._replace(events=_WARM_UP), seed + 1))
    with here.running(headrace, workers=workers) as running:
        return work_off(headrace, running, warm_up, list(workload.events(size, seed)))


def _in_parts(here: Ground, size: Size, seed: int) -> list[Backlog]:
    headrace = CONTESTANTS["headrace"]
    part = size._replace(events=size.events // _PARTS)
    before = list(workload.events(part._replace(events=_WARM_UP), seed + 1))
    found: list[Backlog] = []
    with here.running(headrace) as running:
        for number in range(_PARTS):
            events = list(workload.events(part, seed, first=number * part.events))
            found.append(work_off(headrace, running, before, events))
            before = []
    return found
