"""Batches in flight: each begins when the one ahead has read and folded, and emits and ends after it."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final, Generic, NoReturn, TypeVar

T = TypeVar("T")

IN_FLIGHT: Final = 5
"""Batches of one pipeline at once: one folded, one or two at the model, others emitted, acknowledged and written. With
two the model waits; with three the cores still idled more than with five."""


class BatchSlot:
    """One batch's slot, as its pipeline sees it."""

    def __init__(self, ahead: "BatchSlot | None", on_released: Callable[[], None]) -> None:
        self._ahead = ahead
        self._on_released = on_released
        self._released = asyncio.Event()
        self._emitted = asyncio.Event()
        self._done = asyncio.Event()

    def release_next(self) -> None:
        """Let the next batch begin: what this one makes of the rows stands in memory."""
        self._released.set()
        self._on_released()

    async def await_emit_turn(self) -> None:
        """Wait until every batch ahead has emitted its outputs."""
        if self._ahead is not None:
            await self._ahead._emitted.wait()

    def mark_emitted(self) -> None:
        """Let the next batch emit: its outputs are queued after those of this one."""
        self._emitted.set()

    async def await_commit_turn(self) -> None:
        """Wait until every batch ahead is done: from here on, one at a time."""
        if self._ahead is not None:
            await self._ahead._done.wait()
            self._ahead = None  # or all that ever went ahead would be remembered

    async def released(self) -> None:
        """Wait for `release_next`."""
        await self._released.wait()

    def mark_done(self) -> None:
        """Note that the batch is done."""
        self._emitted.set()
        self._done.set()


class BatchScheduler(Generic[T]):
    """Processes batches in one pipeline, in order, a few in flight at once.

    What a pipeline raises concerns every batch in flight, since each has built on those ahead: all are aborted, and
    after `recover` they begin again in their order.

    Args:
        process: takes a batch through its pipeline. It calls `BatchSlot.release_next` when the next may begin and
            `BatchSlot.mark_emitted` when the next may emit (at the end, if never), and awaits
            `BatchSlot.await_emit_turn` before it emits, `BatchSlot.await_commit_turn` before it writes.
        recover: called with what a pipeline raised, the number of failures in a row, and the batches that are aborted;
            returns when they may be processed again. What it raises ends `run`.
        on_released: called when a batch has let the next one begin.
        on_done: called when a batch is done, in order.
    """

    def __init__(
        self,
        process: Callable[[T, BatchSlot], Awaitable[None]],
        recover: Callable[[Exception, int, Sequence[T]], Awaitable[None]],
        on_released: Callable[[T], None],
        on_done: Callable[[T], None],
    ) -> None:
        self._process, self._recover = process, recover
        self._on_released, self._on_done = on_released, on_done
        self._waiting: deque[T] = deque()
        self._in_flight: deque[T] = deque()
        self._failures = 0
        self._gate = asyncio.Lock()
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._in_flight)

    async def put(self, batch: T) -> None:
        """Add a batch to the queue."""
        async with self._changed:
            self._waiting.append(batch)
            self._changed.notify_all()

    def drain(self) -> list[T]:
        """Take everything out, after `run` has ended."""
        left = [*self._in_flight, *self._waiting]
        self._in_flight.clear()
        self._waiting.clear()
        return left

    async def run(self) -> NoReturn:
        """Process what is put, for ever; raises what `recover` raises."""
        while True:
            error = await self._run_until_error()
            self._failures += 1
            async with self._changed:
                aborted = list(self._in_flight)
                self._waiting.extendleft(reversed(aborted))
                self._in_flight.clear()
                self._changed.notify_all()  # whoever waits for stillness has it
            await self._recover(error, self._failures, aborted)

    @asynccontextmanager
    async def quiesced(self) -> AsyncGenerator[None]:
        """Start no batch, and wait until none is in flight."""
        async with self._gate:
            async with self._changed:
                await self._changed.wait_for(lambda: not self._in_flight)
            yield

    async def _run_until_error(self) -> Exception:
        try:
            async with asyncio.TaskGroup() as tasks:
                await self._start_batches(tasks)
        except ExceptionGroup as several:
            return _first_error(several)

    async def _start_batches(self, tasks: asyncio.TaskGroup) -> NoReturn:
        ahead: BatchSlot | None = None
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: self._waiting and len(self._in_flight) < IN_FLIGHT)
            async with self._gate:
                batch = self._waiting.popleft()
                self._in_flight.append(batch)
                slot = BatchSlot(ahead, lambda batch=batch: self._on_released(batch))
                tasks.create_task(self._process_in_slot(batch, slot))
            await slot.released()
            ahead = slot

    async def _process_in_slot(self, batch: T, slot: BatchSlot) -> None:
        try:
            await self._process(batch, slot)
        except Exception:
            await slot.await_commit_turn()  # what is ahead may yet arrive, or fail in its turn
            raise
        await slot.await_commit_turn()
        self._failures = 0
        self._in_flight.popleft()
        self._on_done(batch)
        slot.mark_done()
        slot.release_next()
        async with self._changed:
            self._changed.notify_all()


def _first_error(several: ExceptionGroup[Exception]) -> Exception:
    first = several.exceptions[0]
    return _first_error(first) if isinstance(first, ExceptionGroup) else first
