"""Faults of served models: counted, and logged a line a minute, not a line a batch."""

import logging
import time
from collections.abc import Callable
from typing import Final

from streams.operations import metrics

logger = logging.getLogger(__name__)

FAILED: Final = "failed"
UNAVAILABLE: Final = "unavailable"
"""Classes of faults beside those of `checking`: an error in place of an answer, no answer."""
_EVERY_S: Final = 60.0


class ModelFaults:
    """The model faults of one worker.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due: dict[tuple[str, str], float] = {}

    def count(self, model: str, fault: str) -> None:
        """Count a fault that is logged elsewhere."""
        metrics.MODEL_FAULTS.labels(model, fault).inc()

    def note(self, model: str, version: str, fault: str, detail: str) -> None:
        """Count a fault, and log it where the last line about such a one is a minute old.

        Args:
            fault: its class, of a handful.
            detail: in words.
        """
        self.count(model, fault)
        now = self._clock()
        if now < self._due.get((model, fault), now):
            return
        self._due[model, fault] = now + _EVERY_S
        of = f"{model} version {version}" if version else model
        logger.warning(
            "fallback used for %s: %s; publish a version that this release has trained",
            of,
            detail,
            extra={"reason": fault},
        )
