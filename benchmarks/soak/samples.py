"""What a worker and its servers hold, looked at now and then."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Final

import numpy as np
import psutil
from msgspec import Struct

from benchmarks.road.ground import Running
from benchmarks.road.measuring import steps, told
from streams.errors import CheckFailed
from streams.topics import Topic

_EVERY_S: Final = 10.0


class Sample(Struct):
    """What was held at one time.

    Attributes:
        seconds: since the load began.
        behind: records of `events` that wait for the worker, as it says every ten seconds.
        steps_s: seconds of all loads by step since the worker began, "road: step".
        memory_mb: resident, of a process and its children, by name.
        files: open file descriptors of the worker, sockets among them.
        threads: of the worker.
    """

    seconds: float
    behind: int
    steps_s: dict[str, float]
    memory_mb: dict[str, float]
    files: int
    threads: int


class Sampler:
    """Takes samples in a thread of its own while it is entered."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._over = Event()
        self._began = time.monotonic()
        self._thread = ThreadPoolExecutor(1)
        self.samples: list[Sample] = []

    @property
    def behind(self) -> int:
        """Records that waited when it last looked."""
        return self.samples[-1].behind if self.samples else 0

    def __enter__(self) -> "Sampler":
        self._sampled = self._thread.submit(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.shutdown()
        if not self._running.worker.running:
            raise CheckFailed(f"the worker has ended: {self._running.worker.log_tail(5)}")
        self._sampled.result()

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S) and self._running.worker.running:
            self.samples.append(self._sample())

    def _sample(self) -> Sample:
        found: Mapping[str, list[psutil.Process]] = self._running.processes
        worker = found["worker"][0]
        return Sample(
            seconds=round(time.monotonic() - self._began, 1),
            behind=int(told(self._running, "headrace_lag_records", "topic").get(Topic.EVENTS, 0)),
            steps_s=dict(steps(self._running)),
            memory_mb={name: round(sum(p.memory_info().rss for p in own) / 2**20, 1) for name, own in found.items()},
            files=worker.num_fds(),
            threads=worker.num_threads(),
        )


def growth(values: Mapping[float, float]) -> float:
    """What a straight line through the values gains from the first time to the last, as a share of its beginning.

    Args:
        values: seconds → value, two of them or more.
    """
    times = np.array(list(values))
    slope, start = np.polyfit(times - times[0], np.array(list(values.values())), 1)
    return float(slope * (times[-1] - times[0]) / start)
