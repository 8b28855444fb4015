"""The Faust consumer that delivers chunks, and commits only what was finished."""

# Faust's consumer is made to be subclassed, and names the methods for it with an underscore.
# pyright: reportPrivateUsage=false

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from math import inf
from typing import Any, NamedTuple, cast

from aiokafka.errors import IllegalStateError, KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage
from mode.utils.locks import Event

from streams.errors import HeadraceError
from streams.lanes import SIDE_BY_SIDE
from streams.transport.chunks import RawRecord, RecordChunk, Span, split
from streams.transport.progress import Progress, Verdict
from streams.transport.reader import Quota, ReaderThread

log = logging.getLogger(__name__)

# Only what travels is in hand: a chunk that was cut early and waited for its lane would be small, and what came after
# it would wait for two.
_CHUNKS_A_ROAD = SIDE_BY_SIDE
_CHUNKS_A_LANE = 1


class Chunking(NamedTuple):
    """How records are cut into chunks, and which topics share an agent.

    Attributes:
        records: most records in a chunk.
        size: most bytes in a chunk; a larger record travels alone.
        roads: the topics of each agent; how many chunks wait is bounded for each road.
    """

    records: int
    size: int
    roads: Sequence["RoadTopics"]


class RoadTopics(NamedTuple):
    """The topics of one agent.

    Attributes:
        pause_s: time between two readings while other roads are at work: what comes meanwhile makes larger chunks,
            which cost less.
    """

    names: frozenset[str]
    pause_s: float = 0.0


class _Delivered(NamedTuple):
    tp: TP
    chunk: RecordChunk
    span: Span


class ChunkConsumer(driver.Consumer):
    """Consumes chunk by chunk. A chunk counts as done when `finish` is called, never because Faust acked it.

    Faust acks an event whose handler has raised, and forgets what it was about to commit at a rebalance; so this
    class keeps its own account of each partition, from `perform_seek` on.
    """

    logger = logging.getLogger("faust")
    transport: "ChunkTransport"
    _thread: ReaderThread  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._progress: dict[TP, Progress] = {}
        self._in_hand: dict[int, _Delivered] = {}
        self._room = Event()
        self._turn = 0
        self._read_at: dict[frozenset[str], float] = {}
        super().__init__(*args, **kwargs)

    def _new_consumer_thread(self) -> ReaderThread:
        return ReaderThread(self, loop=self.loop, beacon=self.beacon)

    def finish(self, chunk: RecordChunk) -> None:
        """The road has done all that the chunk asks for: its offsets may be committed."""
        delivered = self._in_hand.pop(id(chunk), None)
        if delivered is None:
            return  # delivered before a rebalance: what the group has committed counts now
        self._progress[delivered.tp].finished.add(delivered.span.begin, delivered.span.end)
        self._room.set()
        self._thread.wake()

    def lag(self, tp: TP) -> int | None:
        """Records between what is finished and the end of the log as last heard of; None before it was heard of."""
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
            offsets = await self._thread.rewind()
        except IllegalStateError:  # the next rebalance has begun; Faust waits for its end
            raise
        except (HeadraceError, KafkaError) as error:
            self.transport.fail(error)
            return
        self._in_hand.clear()
        self._progress = {tp: Progress(offset) for tp, offset in offsets.items()}
        self._committed_offset.clear()
        self._room.set()

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Forget the last assignment, so that no late commit moves the group back."""
        self._progress.clear()
        self._in_hand.clear()
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
        """Read once, and yield a message for each chunk; its offset is the chunk's last."""
        await asyncio.sleep(0)
        if not self.flow_active:
            await self.wait(cast(Any, self.can_resume_flow))
        generation = self.app.consumer_generation_id
        quotas, pause = self._quotas()
        timeout = min(timeout, pause)
        if not quotas:
            self._room.clear()
            await self.wait(self._room, timeout=timeout)
            return
        holes: set[TP] = set()
        for tp, whole in await self._thread.read(quotas, self.transport.chunking.records, timeout):
            self._note_reading(tp.topic)
            for span in split(whole, self.transport.chunking.size):
                if not self.flow_active or generation != self.app.consumer_generation_id:
                    return
                if tp not in holes and (delivered := await self._admit(tp, span, holes)):
                    yield tp, self._message(delivered)

    async def _admit(self, tp: TP, span: Span, holes: set[TP]) -> _Delivered | None:
        progress = self._progress.get(tp)
        if progress is None:
            return None
        verdict, span = progress.admit(span)
        if verdict is Verdict.SEEK_BACK:
            holes.add(tp)
            log.info("%s/%d: reading again from %d, for %d came", *tp, progress.expected, span.begin)
            await self._thread.seek_back(tp, progress.expected)
        if verdict is not Verdict.DELIVER:
            return None
        if not span.records:  # transaction markers, or all compacted away
            progress.finished.add(span.begin, span.end)
            return None
        delivered = _Delivered(tp, RecordChunk(tp.topic, tp.partition, span.records), span)
        self._in_hand[id(delivered.chunk)] = delivered
        return delivered

    def _quotas(self) -> tuple[list[Quota], float]:
        """What each road can take now, and the seconds until one that pauses can take more."""
        self._turn += 1
        now, pause = time.monotonic(), inf
        active = sorted(self._get_active_partitions())
        quotas: list[Quota] = []
        for topics, pause_s in self.transport.chunking.roads:
            others = any(held.tp.topic not in topics for held in self._in_hand.values())
            due = self._read_at.get(topics, 0.0) + pause_s - now if others else 0.0
            in_hand = Counter(held.tp.partition for held in self._in_hand.values() if held.tp.topic in topics)
            room = _CHUNKS_A_ROAD - in_hand.total()
            mine = [tp for tp in active if tp.topic in topics and in_hand[tp.partition] < _CHUNKS_A_LANE]
            if due > 0:
                pause = min(pause, due)
            elif room > 0 and mine:
                first = self._turn % len(mine)
                quotas.append(Quota(mine[first:] + mine[:first], room))
        return quotas, pause

    def _note_reading(self, topic: str) -> None:
        for topics, _ in self.transport.chunking.roads:
            if topic in topics:
                self._read_at[topics] = time.monotonic()

    def _message(self, delivered: _Delivered) -> ConsumerMessage:
        last: RawRecord = delivered.chunk.records[-1]
        return ConsumerMessage(
            topic=last.topic,
            partition=last.partition,
            offset=last.offset,
            timestamp=last.timestamp / 1000,
            timestamp_type=0,
            headers=[],
            key=None,
            value=cast(Any, delivered.chunk),
            checksum=None,
            tp=delivered.tp,
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


class ChunkTransport(driver.Transport):
    """Faust's aiokafka transport with the chunk consumer.

    Attributes:
        chunking: how records are cut into chunks.
        fail: told when a partition cannot be consumed any more.
    """

    Consumer = ChunkConsumer

    def __init__(self, url: Any, app: Any, *, chunking: Chunking, fail: Callable[[BaseException], None]) -> None:
        super().__init__(url, app)
        self.chunking = chunking
        self.fail = fail
