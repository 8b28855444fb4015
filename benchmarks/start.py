"""`headrace bench start`: from nothing to the first answer."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from msgspec import Struct

from benchmarks.machine import Machine, machine
from benchmarks.race import workload
from benchmarks.race.contestants import CONTESTANTS
from benchmarks.race.environment import ground
from benchmarks.race.feeding import feed
from benchmarks.race.workload import Size
from benchmarks.results_page import write_results
from headrace.errors import CheckFailed
from headrace.topics import Topic
from streams.kafka.admin.broker import Broker

_IMPORTS = 5
_PATIENCE_S = 60.0


class Started(Struct):
    """Seconds that starting takes.

    Attributes:
        imports: of everything a worker needs, median of five fresh interpreters.
        up: from `headrace up` until Kafka, Valkey and Triton answer, from empty folders; packages and jars are there.
        ready: from the start of a worker's process until it has its partitions.
        first_answer: from the append of the first event until its answer is appended; without a model, so labelled.
    """

    command: str
    machine: Machine
    imports: float
    up: float
    ready: float
    first_answer: float


def measure_start(seed: int, command: str, on_progress: Callable[[str], None]) -> Started:
    """Measure it on a stack of its own.

    Raises:
        CheckFailed: no answer comes.
    """
    on_progress("importing")
    imports = median(_seconds_of_imports() for _ in range(_IMPORTS))
    began = time.perf_counter()
    on_progress("starting the servers")
    with ground(lambda *_: None) as here:
        up = time.perf_counter() - began
        here.send(workload.catalogue(Size(), seed), lambda *_: None)
        began = time.perf_counter()
        on_progress("starting a worker")
        with here.running(CONTESTANTS["headrace"]) as running, Broker(running.settings.kafka_connection) as broker:
            ready = time.perf_counter() - began
            before = broker.ends([Topic.RECOMMENDATIONS])
            event = [record for record in workload.events(Size(events=50), seed) if b'"view"' in (record.value or b"")]
            began = time.perf_counter()
            feed(running.settings.kafka_address, running.settings.partitions, event[:1])
            while broker.ends([Topic.RECOMMENDATIONS]) == before:
                if time.perf_counter() - began > _PATIENCE_S:
                    raise CheckFailed(f"no answer within {_PATIENCE_S:.0f} s: {running.worker.log_tail(5)}")
                time.sleep(0.01)
            first = time.perf_counter() - began
    return Started(command, machine(), round(imports, 2), round(up, 2), round(ready, 2), round(first, 3))


def write_start(found: Started, folder: Path) -> Path:
    """Write `start.json` and `start.md`; the page's path."""
    page = f"""# From nothing to the first answer

    {found.command}

{found.machine.sentence()}

| | seconds |
|---|---|
| importing what a worker needs | {found.imports} |
| `headrace up`, empty folders, packages and jars installed | {found.up} |
| a worker's process until it has its partitions, 12,000 items to read | {found.ready} |
| first event appended until its answer is appended | {found.first_answer} |
"""
    return write_results(found, page, folder, "start")


def _seconds_of_imports() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import streams.app, streams.application.runtime"], check=True)
    return time.perf_counter() - began
