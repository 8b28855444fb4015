"""Prometheus metrics of a worker."""

import logging
import time
from collections.abc import Generator
from contextlib import contextmanager
from errno import EADDRINUSE
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, start_http_server

logger = logging.getLogger(__name__)

EVENTS: Final = Counter("headrace_records_total", "Records read, by topic and result", ["topic", "result"])
CHUNK: Final = Histogram(
    "headrace_chunk_records", "Records a chunk", ["road"], buckets=(1, 4, 16, 64, 128, 256, 512, 1024)
)
STEP_SECONDS: Final = Histogram("headrace_step_seconds", "Seconds a step of the road took", ["road", "step"])
OUTPUTS: Final = Counter("headrace_outputs_total", "Outputs by topic and fallback", ["topic", "fallback"])
DEAD_LETTERS: Final = Counter("headrace_dead_letters_total", "Dead letters by reason", ["reason"])
LATE: Final = Counter("headrace_late_deltas_total", "Item deltas that came after their window was closable")
WATERMARK: Final = Gauge("headrace_watermark_ms", "Event time of a source partition", ["partition"])

_PORTS_TO_TRY = 16


@contextmanager
def timed(road: str, step: str) -> Generator[None]:
    """Count the seconds of one step of one chunk."""
    began = time.perf_counter()
    yield
    STEP_SECONDS.labels(road, step).observe(time.perf_counter() - began)


def serve(port: int) -> int:
    """Serve `/metrics` on 127.0.0.1, on the next free port when another worker has this one; 0 serves nothing."""
    if port == 0:
        return 0
    for candidate in range(port, port + _PORTS_TO_TRY):
        try:
            start_http_server(candidate, addr="127.0.0.1")
        except OSError as error:
            if error.errno != EADDRINUSE:
                raise
            continue
        if candidate != port:
            logger.info("metrics on port %d: %d is taken", candidate, port)
        return candidate
    logger.warning("no free port for metrics from %d on", port)
    return 0
