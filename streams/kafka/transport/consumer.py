"""The Faust consumer that delivers batches, and commits only what was finished."""

# Faust's consumer is made to be subclassed, and names the methods for it with an underscore. Of Faust 0.15.3 this
# replaces, in transport/consumer.py: `perform_seek` (transport/consumer.py:565), `getmany` (transport/consumer.py:693),
# `_filter_tps_with_pending_acks` (transport/consumer.py:1084), `_new_offset` (transport/consumer.py:1097), `_add_gap`
# (transport/consumer.py:1157) and `_drain_messages` (transport/consumer.py:1170); and it goes before
# `on_partitions_assigned` (transport/consumer.py:666).
# pyright: reportPrivateUsage=false

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from math import inf
from typing import Any, Final, NamedTuple, cast

from aiokafka.errors import IllegalStateError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode.utils.locks import Event

from headrace.errors import HeadraceError, StreamError
from streams.kafka.transport.batches import Batch, PartitionBatch, RawRecord, Span, group_spans
from streams.kafka.transport.progress import Progress, Verdict
from streams.kafka.transport.pulled_consumer import Reading
from streams.kafka.transport.reader import ReaderThread
from streams.scheduler.reading import Batching, ReadPlan, ReadScheduler

log = logging.getLogger(__name__)

_SEEK_S: Final = 60.0
"""Faust gives a seek the 90 s of a request, takes their end for the worker's own, and resumes nothing ever after."""

_LOOK_S: Final = 0.25
"""Between two looks whether a pause is over because the other pipelines have nothing in flight any more."""


class _Delivered(NamedTuple):
    """What a batch was made of.

    Attributes:
        batch: kept, since it is known by its identity.
    """

    batch: Batch
    spans: list[tuple[TP, Span]]

    @classmethod
    def of(cls, spans: list[tuple[TP, Span]]) -> "_Delivered":
        parts = [PartitionBatch(span.records[0].topic, tp.partition, span.records) for tp, span in spans]
        return cls(Batch(parts), spans)


class BatchConsumer(driver.Consumer):
    """Consumes batch by batch. A batch counts as done when `mark_done` is called, never because Faust acked it.

    Faust acks an event whose handler has raised, and forgets what it was about to commit at a rebalance; so this
    class keeps its own account of each partition, from `perform_seek` on. A batch is read when its pipeline can begin
    with it, which `ReadScheduler` says: whatever has come by then is one batch, and nothing is queued that was cut too
    early.
    """

    logger = logging.getLogger("faust")
    transport: "BatchTransport"
    _thread: ReaderThread  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._progress: dict[TP, Progress] = {}
        self._room = Event()
        self._is_reading = False
        super().__init__(*args, **kwargs)
        self._reads: ReadScheduler[TP, _Delivered] = ReadScheduler(self.transport.batching, time.monotonic)

    def _new_consumer_thread(self) -> ReaderThread:
        return ReaderThread(self, loop=self.loop, beacon=self.beacon)

    def released_next(self, batch: Batch) -> None:
        """The pipeline has begun with the batch and can take the next."""
        if self._reads.released_next(batch):
            self._make_room()

    def mark_done(self, batch: Batch) -> None:
        """The pipeline has done all that the batch asks for: its offsets may be committed."""
        done = self._reads.mark_done(batch)
        if done is None:
            return  # delivered before a rebalance: what the group has committed counts now
        for tp, span in done.delivered.spans:
            self._progress[tp].finished.add(span.begin, span.end, span.records[-1].offset)
        if done.makes_room:
            self._make_room()

    def _make_room(self) -> None:
        self._room.set()
        if self._is_reading:  # a reading under way may take more from now on
            self._thread.wake()

    def folded(self, tp: TP) -> int:
        """The last record processed before what may be committed; -1 where none is known."""
        progress = self._progress.get(tp)
        return -1 if progress is None else progress.finished.folded

    def lag(self, tp: TP) -> int | None:
        """Records between what is finished and the end of the log as last known; None while it is not known."""
        progress, end = self._progress.get(tp), cast("int | None", self.highwater(tp))
        return None if progress is None or end is None else end - progress.finished.frontier

    async def lags(self) -> Mapping[TP, int]:
        """The same for every partition delivered from, with the log's end asked of the broker."""
        tps = list(self._progress)
        ends = await self.highwaters(*tps)
        return {tp: ends[tp] - self._progress[tp].finished.frontier for tp in tps if tp in self._progress}

    async def perform_seek(self) -> None:
        """Start each assigned partition at what the group has committed."""
        try:
            async with asyncio.timeout(_SEEK_S):
                starts = await self._thread.rewind()
        except IllegalStateError:  # the next rebalance has begun; Faust waits for its end
            raise
        except TimeoutError:
            self.transport.fail(
                StreamError(
                    f"Kafka did not return the committed offsets of this group for {_SEEK_S:.0f} s: start again."
                )
            )
            return
        except (HeadraceError, KafkaError) as error:
            self.transport.fail(error)
            return
        self._reads.reset()
        self._progress = {tp: Progress(start.offset, start.folded) for tp, start in starts.items()}
        self._committed_offset.clear()
        self._room.set()
        await self.transport.on_assigned({tp: start.folded for tp, start in starts.items()})

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget the last assignment, so that no late commit moves the group back."""
        self.stop_flow()  # Faust does where something was revoked: a worker that had nothing would go on reading
        self._progress.clear()
        self._reads.reset()
        await super().on_partitions_assigned(assigned, generation_id)

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                async for _, message in self.getmany(timeout=1.0):
                    await self.wait_first(self.callback(message), self.suspend_flow.wait())
        except (*self.consumer_stopped_errors, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    async def getmany(  # the name and the signature are Faust's
        self,
        timeout: float,  # noqa: ASYNC109
    ) -> AsyncIterator[tuple[TP, ConsumerMessage]]:
        """Read once, and yield a message for each batch; to Faust it is one of its first partition."""
        await asyncio.sleep(0)
        if not self.flow_active:
            await self.wait(cast(Any, self.can_resume_flow))
        generation = self.app.consumer_generation_id
        plan = self._reads.plan(self._get_active_partitions())
        timeout = min(timeout, plan.pause_s)
        if not plan.quotas:
            self._room.clear()
            await self._await_room(timeout)
            return
        read = await self._read(plan, timeout)
        for (pipeline, _), (spans, more) in zip(plan.quotas, read, strict=False):
            # The accounts may be the next assignment's by now: what is noted there, and dropped here, is never done.
            if generation != self.app.consumer_generation_id:
                return
            self._reads.note_read(pipeline, [tp for tp, _ in spans], more=more)
            admitted = await self._admit_all(spans)
            for group in group_spans(admitted, self.transport.batching.size):
                if not self.flow_active or generation != self.app.consumer_generation_id:
                    return
                delivered = _Delivered.of(group)
                self._reads.begin(pipeline, delivered.batch, delivered)
                yield group[0][0], self._message(group[0][0], delivered.batch)

    async def _read(self, plan: ReadPlan[TP], timeout_s: float) -> list[Reading]:
        wait_s = timeout_s if plan.pause_s == inf else min(timeout_s, _LOOK_S)
        self._is_reading = True
        try:
            return await self._thread.read([quota for _, quota in plan.quotas], wait_s, plan.resting)
        finally:
            self._is_reading = False

    async def _await_room(self, seconds: float) -> None:
        """Wait until a pipeline has room; Faust's own way to wait makes three tasks each time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._room.wait()

    async def _admit_all(self, spans: list[tuple[TP, Span]]) -> list[tuple[TP, Span]]:
        """What of the spans is to be delivered; nothing without a record."""
        admitted: list[tuple[TP, Span]] = []
        for tp, whole in spans:
            progress = self._progress.get(tp)
            if progress is None:
                continue
            verdict, span = progress.admit(whole)
            if verdict is Verdict.SEEK_BACK:
                log.info("%s/%d: seek back to %d, since %d was read", *tp, progress.expected, span.begin)
                await self._thread.seek_back(tp, progress.expected)
            elif verdict is Verdict.DELIVER and span.records:
                admitted.append((tp, span))
            elif verdict is Verdict.DELIVER:  # transaction markers, or all compacted away
                progress.finished.add(span.begin, span.end)
        return admitted

    def _message(self, tp: TP, batch: Batch) -> ConsumerMessage:
        last: RawRecord = batch.parts[0].records[-1]
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000,
            timestamp_type=0,
            headers=[],
            key=None,
            value=cast(Any, batch),
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        return (tp for tp in list(self._progress) if topics is None or tp in topics or tp.topic in topics)

    def _new_offset(self, tp: TP) -> int | None:
        # Faust notes every ack and waits for this method to take the notes away.
        self._acked.pop(tp, None)
        self._acked_index.pop(tp, None)
        progress = self._progress.get(tp)
        return None if progress is None else progress.finished.frontier

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Spans know their gaps."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """The worker's own watch looks at what is finished, not at when something was read."""


class BatchTransport(driver.Transport):
    """Faust's aiokafka transport with the batch consumer.

    Attributes:
        batching: how records are put into batches.
        fail: called when a partition cannot be consumed any more.
        on_assigned: called with the partitions this worker has from now on, and the last record of each that the group
            has processed, -1 where that is not known; nothing is delivered before it returns.
        topic_of: the topic that is called so on the cluster.
    """

    Consumer = BatchConsumer

    def __init__(
        self,
        url: Any,
        app: Any,
        *,
        batching: Batching,
        fail: Callable[[BaseException], None],
        on_assigned: Callable[[Mapping[TP, int]], Awaitable[None]],
        topic_of: Callable[[str], str] = str,
    ) -> None:
        super().__init__(url, app)
        self.topic_of = topic_of
        self.batching = batching
        self.fail = fail
        self.on_assigned = on_assigned
