"""A worker that ends, or freezes, at a named step of the pipeline, as a machine would: without a word.

Usage: `python -m streams.testing.crash_points STEP PASSES [freeze]`: runs a worker until the step was passed so many
times since the worker first said something; then it kills itself (SIGKILL), or stops itself (SIGSTOP) until somebody
sends SIGCONT. What a worker before it had said and written, but not committed, passes through in silence: a crash
among that would tell nothing new.
"""

import functools
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple

from feature_repo.store.row_store import RowStore
from headrace.topics import ANSWERS
from streams.kafka.transport.reader import ReaderThread
from streams.pipeline.emit import Outbox, Producer
from streams.serving.shopper_scorer.scorer import ShopperBatchScorer


class Point(NamedTuple):
    """A step that a crash can come before or after."""

    owner: type
    method: str
    after: bool
    meaning: str


POINTS: Final = {
    "reading": Point(RowStore, "read", False, "records are fetched and decoded, rows are not read"),
    "folded": Point(ShopperBatchScorer, "score", False, "events are folded in memory, the model is not asked"),
    "answered": Point(ShopperBatchScorer, "score", True, "the model has answered, nothing is emitted"),
    "emitting": Point(Producer, "send", False, "outputs are made, the next batches folded"),
    "emitted": Point(Producer, "send", True, "outputs are acknowledged, rows are not written"),
    "written": Point(RowStore, "write_serialised", True, "rows are on disk, offsets are not committed"),
    "committed": Point(ReaderThread, "_commit", True, "offsets are committed"),
}


def crash(step: str, passes: int, fault: signal.Signals = signal.SIGKILL) -> None:
    """Strike this process at the given pass of a step."""
    point = POINTS[step]
    has_emitted = _watch()
    method: Callable[..., Awaitable[Any]] = getattr(point.owner, point.method)
    left = passes

    def strike() -> None:
        nonlocal left
        if not has_emitted():
            return
        left -= 1
        if left == 0:
            os.kill(os.getpid(), fault)

    @functools.wraps(method)
    async def struck(*arguments: Any, **named: Any) -> Any:
        if not point.after:
            strike()
        result = await method(*arguments, **named)
        if point.after:
            strike()
        return result

    setattr(point.owner, point.method, struck)


def _watch() -> Callable[[], bool]:
    """Watch for outputs; returns what tells whether Kafka has acknowledged any."""
    send = Producer.send
    emitted = False

    @functools.wraps(send)
    async def watched(self: Producer, outbox: Outbox, on_queued: Callable[[], None] | None = None) -> None:
        nonlocal emitted
        answers = any(topic in ANSWERS for topic, _ in outbox.messages)  # sending uses the outbox up
        await send(self, outbox, on_queued)
        emitted = emitted or answers

    Producer.send = watched
    return lambda: emitted


def command(step: str, passes: int, *, freeze: bool = False) -> tuple[str, ...]:
    """What starts such a worker."""
    return (sys.executable, "-m", __name__, step, str(passes), *(["freeze"] if freeze else []))


if __name__ == "__main__":
    from streams.app import run_worker

    name, count, *how = sys.argv[1:]
    sys.argv[1:] = ["worker"]
    crash(name, int(count), signal.SIGSTOP if how else signal.SIGKILL)
    run_worker()
