"""What a worker and its servers hold, looked at now and then."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Final, cast

import numpy as np
import psutil
import redis
from msgspec import Struct
from scipy.stats import theilslopes

from benchmarks.race.environment import Running
from benchmarks.race.measuring import metric_by_labels, steps
from headrace.errors import CheckFailed
from headrace.topics import Topic

_EVERY_S: Final = 10.0
_LOOKS: Final = 6
PARTS: Final = 10
_STUB: Final = "triton_python"
"""Linux cuts a process's name after fifteen letters."""


class Sample(Struct):
    """What was held at one time.

    Attributes:
        seconds: since the load began.
        behind: records of `events` that wait for the worker, as it says every ten seconds.
        steps_s: seconds of all batches by step since the worker began, "pipeline: step".
        memory_mb: by process; what several share is counted in parts (PSS): Triton shares its requests with the Python
            process of each model. And what Valkey itself counts.
        files: open file descriptors of the worker, sockets among them.
        threads: of the worker.
        rows: keys of the store.
    """

    seconds: float
    behind: int
    steps_s: dict[str, float]
    memory_mb: dict[str, float]
    files: int
    threads: int
    rows: int = 0


class Sampler:
    """Takes samples in a thread of its own while it is entered.

    Args:
        looked: takes all samples, every minute.
    """

    def __init__(self, running: Running, looked: Callable[[Sequence[Sample]], object]) -> None:
        self._running, self._looked = running, looked
        self._over = Event()
        self._began = time.monotonic()
        self._thread = ThreadPoolExecutor(1)
        self.samples: list[Sample] = []

    @property
    def behind(self) -> int:
        """Records that waited when it last looked.

        Raises:
            CheckFailed: the worker has ended.
        """
        if self._sampled.done():
            self._sampled.result()
            raise self._ended()
        return self.samples[-1].behind if self.samples else 0

    def __enter__(self) -> "Sampler":
        self._sampled = self._thread.submit(self._run)
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.shutdown()
        if not self._running.worker.running:
            raise self._ended()
        self._sampled.result()

    def _ended(self) -> CheckFailed:
        return CheckFailed(f"the worker has ended: {self._running.worker.log_tail(5)}")

    def _run(self) -> None:
        while not self._over.wait(_EVERY_S) and self._running.worker.running:
            self.samples.append(self._sample())
            if len(self.samples) % _LOOKS == 0:
                self._looked(self.samples)

    def _sample(self) -> Sample:
        found = self._running.processes
        worker = found["worker"][0]
        stored_mb, rows = self._stored()
        return Sample(
            seconds=round(time.monotonic() - self._began, 1),
            behind=int(metric_by_labels(self._running, "headrace_lag_records", "topic").get(Topic.EVENTS, 0)),
            steps_s=dict(steps(self._running)),
            memory_mb=_memory(found) | {"redis: its own account": stored_mb},
            files=worker.num_fds(),
            threads=worker.num_threads(),
            rows=rows,
        )

    def _stored(self) -> tuple[float, int]:
        """Megabytes and keys, without what its allocator keeps, and the process that rewrites its log now and then."""
        with redis.Redis.from_url(f"redis://{self._running.settings.redis_address}") as store:
            memory = cast(Mapping[str, float], store.info("memory"))
            keys = cast(int, store.dbsize())
        return round(memory["used_memory"] / 2**20, 1), keys


def _memory(found: Mapping[str, Sequence[psutil.Process]]) -> dict[str, float]:
    held: defaultdict[str, float] = defaultdict(float)
    for name, own in found.items():
        for process in own:
            with suppress(psutil.NoSuchProcess):  # a version's processes end when it is unloaded
                part, mb = _part(name, process), process.memory_full_info().pss / 2**20
                held[part] += mb
    return {name: round(mb, 1) for name, mb in sorted(held.items())}


def _part(name: str, process: psutil.Process) -> str:
    """The name of a server's process, by the model where it is of one: its first argument is `model/version/file`."""
    if process.name().startswith(_STUB):
        return f"{name}: {Path(process.cmdline()[1]).parents[1].name}"
    return name


class Growth(Struct):
    """What a line gains from the first time to the last, as a share of its beginning.

    Attributes:
        low, high: the gain's 99 % interval: with 0 in it, it is no growth that this run can tell from none. At 95 %
            one of ten series, which is how many there are, would have grown in every fourth run of nothing.
    """

    share: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.share:+.1%} ({self.low:+.1%} to {self.high:+.1%})"


def growth(values: Mapping[float, float]) -> Growth:
    """Of the median slope between the means of ten equal parts (Sen 1968, "Estimates of the Regression Coefficient
    Based on Kendall's Tau"): of parts, since what is seen at one time is much as it was ten seconds before, and of the
    median, since one minute in which the machine was slow makes a line of least squares that begins below zero.

    Args:
        values: seconds → value, ten of them or more.
    """
    parts = np.array_split(np.array(list(values.items())), PARTS)
    times, held = np.array([part.mean(axis=0) for part in parts]).T
    slope, start, low, high = theilslopes(held, times - min(values), alpha=0.99)
    scale = (max(values) - min(values)) / start
    return Growth(*(round(float(gain * scale), 4) + 0.0 for gain in (slope, low, high)))  # no minus before a zero
