"""Events come in at a steady rate, and the online store loses rows, or fails over, in their midst."""

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import takewhile
from threading import Event
from typing import Final

from msgspec import Struct

from benchmarks.outage.answers import Moments, judge
from benchmarks.outage.completeness import places, rows_of
from benchmarks.outage.stores import Stores, stores
from benchmarks.race.contestants import CONTESTANTS
from benchmarks.race.environment import Ground, Running
from benchmarks.race.feeding import feed
from headrace.recording.reading import Record
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.kafka.admin.broker import Broker
from streams.recordings.traffic.listening import Listener
from streams.recordings.traffic.waiting import lag
from streams.testing.worker import Worker

_BEFORE_S: Final = 10.0
_LAG_S: Final = 2.0
_AFTER_S: Final = 20.0
"""Within it a worker has seen what happened, or goes on."""
_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.1
_PORTS: Final = (19_700, 19_701)

OnProgress = Callable[[str], None]


class Loss(Struct, frozen=True):
    """What came of a store that lost rows, or gave way to its replica.

    Attributes:
        appended: events appended from the fault on, of those that ask for answers.
        answered: share of them answered, by the end.
        ended_s: from the fault until the worker had ended by itself; None where it went on.
        rows: rows of shoppers in the store at the end.
        torn: those that do not hold every event up to their fence: something was folded into a row that was lost.
        words: the line that the worker ended with; "" where it went on.
    """

    appended: int
    answered: float
    ended_s: float | None
    rows: int
    torn: int
    words: str


class _Case(Struct, frozen=True):
    replicas: int
    before: Callable[[Stores], None]
    inject: Callable[[Stores], None]


def _nothing(_: Stores) -> None:
    return


def _part(both: Stores) -> None:
    both.part()
    time.sleep(_LAG_S)


CASES: Final = {
    "failover to a replica that was waited for": _Case(1, _nothing, Stores.fail_over),
    "failover to a replica that lags by 2 s": _Case(0, _part, Stores.lose_primary),
    "flush": _Case(0, _nothing, Stores.flush),
    "eviction of a tenth": _Case(0, _nothing, Stores.evict),
}


def measure_losses(here: Ground, stream: Sequence[Record], rate: float, on_progress: OnProgress) -> dict[str, Loss]:
    """Let each case happen to stores and a worker of its own."""
    found: dict[str, Loss] = {}
    offset = here.settings.port_offset
    for name, case in CASES.items():
        with stores(here.home / "stores", (_PORTS[0] + offset, _PORTS[1] + offset)) as both:
            variables = {"HEADRACE_REDIS": both.name.address, "HEADRACE_DURABLE_REPLICAS": str(case.replicas)}
            with here.running(CONTESTANTS["headrace"], environment=variables) as running:
                found[name] = _run(running, both, case, stream, rate)
        on_progress(f"{name}: {found[name]}")
    return found


def _run(running: Running, both: Stores, case: _Case, stream: Sequence[Record], rate: float) -> Loss:
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
            case.before(both)
            injected, gone = time.monotonic(), time.time_ns() // 1_000_000
            case.inject(both)
            ended = _until_ended(running.worker, injected)
        finally:
            over.set()
        fed.result()
        if ended is None:
            _await_committed(running.settings)
        records = listener.until_now()
    outage = judge(records, Moments(gone, time.time_ns() // 1_000_000))
    rows = asyncio.run(rows_of(running.settings.model_copy(update={"redis": both.address}), places(records)))
    return Loss(outage.requested, outage.answered, ended, rows.found, rows.torn, _words(running.worker))


def _until_ended(worker: Worker, injected: float) -> float | None:
    while time.monotonic() - injected < _AFTER_S:
        if not worker.running:
            return round(time.monotonic() - injected, 1)
        time.sleep(_POLL_S)
    return None


def _await_committed(settings: Settings) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    with Broker(settings.kafka_connection) as broker:
        ends, beginnings = broker.ends([Topic.EVENTS]), broker.beginnings([Topic.EVENTS])
        while lag(ends, beginnings, broker.committed(settings.group)) and time.monotonic() < deadline:
            time.sleep(_POLL_S)


def _words(worker: Worker) -> str:
    """What it has told the one who started it; a worker that goes on has told nothing."""
    lines = [line for line in worker.log_tail().splitlines() if line.startswith("headrace: ")]
    return lines[-1] if lines else ""
