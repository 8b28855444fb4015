"""Prometheus metrics of a worker."""

import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final, NamedTuple

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

RECORDS: Final = Counter("headrace_records_total", "Records read, by topic and result", ["topic", "result"])
BATCH_RECORDS: Final = Histogram(
    "headrace_batch_records", "Records in a batch", ["pipeline"], buckets=(1, 4, 16, 64, 128, 256, 512, 1024)
)
STEP_SECONDS: Final = Histogram(
    "headrace_pipeline_step_seconds", "Seconds that a pipeline's step took for a batch", ["pipeline", "step"]
)
OUTPUTS: Final = Counter("headrace_outputs_total", "Outputs, by topic and fallback reason", ["topic", "fallback"])
SCENARIO_OFF: Final = Gauge(
    "headrace_scenario_off", "1 for a scenario that is off because it raised on record after record", ["scenario"]
)
DEAD_LETTERS: Final = Counter("headrace_dead_letters_total", "Dead letters, by reason", ["reason"])
SKIPPED_CONTEXT: Final = Counter(
    "headrace_context_skipped_total", "Context pairs whose value is neither text nor a number, skipped", ["topic"]
)
LATE_UPDATES: Final = Counter(
    "headrace_late_item_updates_total", "Item updates that arrived after their window could be closed"
)
SERIES_UPDATES_SKIPPED: Final = Counter(
    "headrace_series_updates_skipped_total",
    "Updates of a series that no scenario of this worker declares, or declares with other columns",
    ["series"],
)
SERIES_WINDOWS_DROPPED: Final = Counter(
    "headrace_series_windows_dropped_total", "Closed windows without outputs since their scenario raised", ["scenario"]
)
WATERMARK: Final = Gauge("headrace_watermark_ms", "Event time of a source partition", ["partition"])
LAG: Final = Gauge("headrace_lag_records", "Consumer lag of this worker's partitions, in records", ["topic"])
REBALANCES: Final = Counter("headrace_rebalances_total", "Partition assignments that this worker has received")
_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)
OUTPUT_DELAY: Final = Histogram(
    "headrace_output_delay_seconds",
    "From a record's append until its outputs are acknowledged; the oldest record of each partition batch",
    buckets=_SECONDS,
)
FEATURE_DELAY: Final = Histogram(
    "headrace_feature_delay_seconds",
    "From a record's append until its features are in the online store; the oldest record of each partition batch",
    buckets=_SECONDS,
)
MODEL_SERVED: Final = Gauge("headrace_model_served", "1 for the version that answered last", ["model", "version"])
MODEL_AVAILABLE: Final = Gauge(
    "headrace_model_available", "0 while the circuit breaker of a model is open, else 1", ["model"]
)
MODEL_FAULTS: Final = Counter(
    "headrace_model_faults_total", "Requests that a served model failed or answered wrongly", ["model", "fault"]
)


class Alias(NamedTuple):
    """The name that a metric had in the release before, for dashboards and alert rules of that time.

    Attributes:
        labels: a label's name now → then, where it was another.
        values: a label's value now → then, likewise.
    """

    metric: Counter | Gauge | Histogram
    name: str
    labels: Mapping[str, str] = {}
    values: Mapping[str, str] = {}


#: Exposed beside the new names for one release.
ALIASES: Final = (
    Alias(BATCH_RECORDS, "headrace_chunk_records", {"pipeline": "road"}),
    Alias(
        STEP_SECONDS,
        "headrace_step_seconds",
        {"pipeline": "road"},
        {"serialise": "pack", "build": "say", "evaluate": "conclude"},
    ),
    Alias(SKIPPED_CONTEXT, "headrace_context_left_out"),
    Alias(LATE_UPDATES, "headrace_late_deltas"),
    Alias(OUTPUT_DELAY, "headrace_answer_delay_seconds"),
)


class _Aliases(Collector):
    """The metrics of `ALIASES` under their old names, with the values that they have now."""

    def collect(self) -> Iterable[Metric]:
        """Every alias's family."""
        return [_renamed(alias, family) for alias in ALIASES for family in alias.metric.collect()]


def _renamed(alias: Alias, family: Metric) -> Metric:
    old = Metric(alias.name, f"Deprecated, removed in the next release: use {family.name}.", family.type)
    old.samples = [
        sample._replace(name=alias.name + sample.name.removeprefix(family.name), labels=_labels(alias, sample))
        for sample in family.samples
    ]
    return old


def _labels(alias: Alias, sample: Sample) -> dict[str, str]:
    return {alias.labels.get(name, name): alias.values.get(value, value) for name, value in sample.labels.items()}


REGISTRY.register(_Aliases())


def served(model: str, version: str, before: str | None) -> None:
    """Note which version answers now, in another's place."""
    if before is not None:
        MODEL_SERVED.remove(model, before)
    MODEL_SERVED.labels(model, version).set(1)
    MODEL_AVAILABLE.labels(model).set(1)


class Step(NamedTuple):
    """A step that is done for a batch; times in ns since 1970 UTC."""

    name: str
    began: int
    ended: int


class Steps:
    """The steps of one batch: timed, and kept for its traces."""

    def __init__(self, pipeline: str) -> None:
        self._pipeline = pipeline
        self.done: list[Step] = []

    def timed(self, name: str) -> "timed":
        """Time one step."""
        return timed(self._pipeline, name, self.done)


class timed:  # noqa: N801 - it is used as a function
    """Count the seconds of one step of one batch, unless the step raises.

    Args:
        done: where the step is noted as well.
    """

    __slots__ = ("_began", "_began_ns", "_done", "_seconds", "_step")

    def __init__(self, pipeline: str, step: str, done: list[Step] | None = None) -> None:
        self._seconds, self._step, self._done = _seconds_of(pipeline, step), step, done

    def __enter__(self) -> None:
        self._began_ns, self._began = time.time_ns(), time.perf_counter()

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is not None:
            return
        self._seconds.observe(time.perf_counter() - self._began)
        if self._done is not None:
            self._done.append(Step(self._step, self._began_ns, time.time_ns()))


@cache
def _seconds_of(pipeline: str, step: str) -> Histogram:
    """A step's own histogram: finding it by its labels takes longer than to observe."""
    return STEP_SECONDS.labels(pipeline, step)
