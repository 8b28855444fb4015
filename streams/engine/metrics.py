"""Prometheus metrics of a worker."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, NamedTuple

from prometheus_client import Counter, Gauge, Histogram

EVENTS: Final = Counter("headrace_records_total", "Records read, by topic and result", ["topic", "result"])
CHUNK: Final = Histogram(
    "headrace_chunk_records", "Records that travel together", ["road"], buckets=(1, 4, 16, 64, 128, 256, 512, 1024)
)
STEP_SECONDS: Final = Histogram("headrace_step_seconds", "Seconds a step of the road took", ["road", "step"])
OUTPUTS: Final = Counter("headrace_outputs_total", "Outputs by topic and fallback", ["topic", "fallback"])
DEAD_LETTERS: Final = Counter("headrace_dead_letters_total", "Dead letters by reason", ["reason"])
LEFT_OUT: Final = Counter(
    "headrace_context_left_out_total", "Context pairs without text or number, left out of their events", ["topic"]
)
LATE: Final = Counter("headrace_late_deltas_total", "Item deltas that came after their window was closable")
WATERMARK: Final = Gauge("headrace_watermark_ms", "Event time of a source partition", ["partition"])
LAG: Final = Gauge("headrace_lag_records", "Records that wait for this worker, of its partitions", ["topic"])
REBALANCES: Final = Counter("headrace_rebalances_total", "Times that this worker was given its share of the partitions")
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
ANSWERED: Final = Histogram(
    "headrace_answer_delay_seconds",
    "From a record's append until its answers are with Kafka; the oldest record of each chunk",
    buckets=_SECONDS,
)
FRESHNESS: Final = Histogram(
    "headrace_feature_delay_seconds",
    "From a record's append until its features are in the online store; the oldest record of each chunk",
    buckets=_SECONDS,
)
SERVED: Final = Gauge("headrace_model_served", "1 for the version that answered last", ["model", "version"])
AVAILABLE: Final = Gauge(
    "headrace_model_available", "0 while a model is not asked because it did not answer", ["model"]
)

MODEL_FAULTS: Final = Counter(
    "headrace_model_faults_total", "Requests that a served model failed or answered wrongly", ["model", "fault"]
)


def served(model: str, version: str, before: str | None) -> None:
    """Say which version answers now, in another's place."""
    if before is not None:
        SERVED.remove(model, before)
    SERVED.labels(model, version).set(1)
    AVAILABLE.labels(model).set(1)


class Step(NamedTuple):
    """A step that a load has taken; times in ns since 1970 UTC."""

    name: str
    began: int
    ended: int


class Steps:
    """The steps of one load, as it takes them: counted, and kept for its traces."""

    def __init__(self, road: str) -> None:
        self._road = road
        self.taken: list[Step] = []

    @contextmanager
    def timed(self, name: str) -> Generator[None]:
        """Take one step."""
        began = time.time_ns()
        with timed(self._road, name):
            yield
        self.taken.append(Step(name, began, time.time_ns()))


@contextmanager
def timed(road: str, step: str) -> Generator[None]:
    """Count the seconds of one step of one load."""
    began = time.perf_counter()
    yield
    STEP_SECONDS.labels(road, step).observe(time.perf_counter() - began)
