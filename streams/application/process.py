"""Settings of the whole process, made when a worker starts and nowhere else."""

import asyncio
import gc
import sys
from typing import Final

import uvloop

_GC_THRESHOLDS: Final = (100_000, 20, 20)
"""A batch makes some hundred thousand lists and tuples, and no cycle: Python would look for one after every 700."""
_SWITCH_S: Final = 0.0005
"""How long the thread that reads from Kafka waits for Python while batches are worked on: the usual 5 ms are as long as
a small batch takes."""


def use_fast_loop() -> None:
    """Make every event loop of this process uvloop's, before the first is made."""
    # Faust makes loops of its own, in two threads; the policy is the one place that both ask.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())  # pyright: ignore[reportDeprecated]


def tune_for_batches() -> None:
    """Set how often garbage is looked for and threads take turns, once everything is loaded."""
    gc.collect()
    gc.freeze()  # what is loaded by now stays: later collections need not walk it
    gc.set_threshold(*_GC_THRESHOLDS)
    sys.setswitchinterval(_SWITCH_S)
