"""One pipeline of a worker: its agent puts batches into a scheduler, which takes them through the pipeline."""

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

import faust
from faust.types import EventT, StreamT

from streams.application.pipelines import Pipeline
from streams.kafka.transport import Batch
from streams.operations.health import HealthMonitor
from streams.pipeline import batch_log
from streams.scheduler.slots import BatchScheduler, BatchSlot


class BatchSchema(faust.Schema[Any, Any]):
    """Hands a batch on as it is: decoding is the pipeline's first step."""

    def compile(self, app: Any, **_: Any) -> Callable[..., Awaitable[Any]]:
        """Faust's decoder of one message; in place of Faust 0.15.3, serializers/schemas.py:164."""

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            return app.create_event(None, message.value, {}, message)

        return decode


class RunsPipelines(Protocol):
    """What a pipeline needs of the application that runs it."""

    @property
    def failure(self) -> BaseException | None:
        """What ends the worker."""
        ...

    def fail(self, error: BaseException) -> None:
        """End the worker."""

    async def recover(self, error: Exception, failures: int) -> None:
        """Return when a pipeline that raised may begin again, or raise the error."""

    def released_next(self, batch: Batch) -> None:
        """The batch has let the next one begin."""

    def mark_done(self, batch: Batch) -> None:
        """The batch is done: its offsets may be committed."""


class PipelineRunner:
    """From Faust's stream through a pipeline to the acknowledgement.

    Args:
        pipeline: returns what processes the batches; asked when there is one, since it opens after the agents are made.
    """

    def __init__(self, app: RunsPipelines, pipeline: Callable[[], Pipeline], health: HealthMonitor) -> None:
        self._app, self._pipeline, self._health = app, pipeline, health
        self._scheduler: BatchScheduler[EventT[Any]] = BatchScheduler(
            self._process, self._recover, self._on_released, self._on_done
        )
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        """Batches that wait or are in flight."""
        return len(self._scheduler)

    async def agent(self, stream: StreamT[Any]) -> None:
        """Faust's agent: put what comes into the scheduler."""
        # Acknowledged when the batch is done: at a rebalance and at the end Faust waits for what has not. With acks it
        # would do so when the next event is asked for (Faust 0.15.3, faust/streams.py:1210).
        cast(Any, stream).enable_acks = False
        async for event in cast(AsyncIterable[EventT[Any]], stream.events()):
            if self._app.failure is None:
                await self._scheduler.put(event)
            else:
                event.ack()

    def start(self) -> None:
        """Begin to process what the agent puts."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Let go of what is not done: the next worker does it again."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def quiesced(self) -> AbstractAsyncContextManager[None]:
        """Start no batch, and wait until none is in flight."""
        return self._scheduler.quiesced()

    async def _run(self) -> None:
        try:
            await self._scheduler.run()
        except Exception as error:
            self._app.fail(error)
        finally:
            for event in self._scheduler.drain():
                batch_log.left_to_next_worker(_batch_of(event))
                event.ack()

    async def _process(self, event: EventT[Any], slot: BatchSlot) -> None:
        await self._pipeline().process(_batch_of(event), slot)

    async def _recover(self, error: Exception, failures: int, aborted: Sequence[EventT[Any]]) -> None:
        batch_log.gave_up([_batch_of(event) for event in aborted], error, failures)
        self._pipeline().invalidate()
        if self._app.failure is not None:  # it ends, perhaps for want of what the pipeline waits for
            raise error
        self._health.note_blocked(str(error))
        await self._app.recover(error, failures)

    def _on_released(self, event: EventT[Any]) -> None:
        self._app.released_next(_batch_of(event))

    def _on_done(self, event: EventT[Any]) -> None:
        self._health.note_progress()
        self._app.mark_done(_batch_of(event))
        event.ack()


def _batch_of(event: EventT[Any]) -> Batch:
    return cast(Batch, event.value)
