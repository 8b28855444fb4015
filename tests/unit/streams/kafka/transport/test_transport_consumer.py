"""What the consumer does when the broker leaves it waiting, and when a pipeline of a process of its own pauses."""

import asyncio
from collections.abc import Mapping, Sequence
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest
from faust.types import TP

from headrace.errors import StreamError
from streams.kafka.transport import consumer
from streams.kafka.transport.batches import Batch, RawRecord, Span
from streams.kafka.transport.consumer import BatchConsumer, _InFlight
from streams.kafka.transport.progress import Progress
from streams.kafka.transport.pulled_consumer import _leave_out
from streams.scheduler.fair_order import FairOrder
from streams.scheduler.slots import IN_FLIGHT
from streams.scheduler.throttle import PipelineTopics, PollThrottle

DELTAS = TP("deltas", 0)
ITEMS = PipelineTopics(frozenset({DELTAS.topic}), pause_s=600.0)


class SilentThread:
    """A consumer's thread whose broker does not say what the group has committed."""

    async def rewind(self) -> None:
        await asyncio.Event().wait()


async def test_a_broker_that_does_not_tell_the_groups_offsets_ends_the_worker(monkeypatch):
    failures: list[Exception] = []
    waiting: Any = BatchConsumer.__new__(BatchConsumer)  # of all that Faust gives it, it needs these two
    waiting._thread, waiting.transport = SilentThread(), SimpleNamespace(fail=failures.append)
    monkeypatch.setattr(consumer, "_SEEK_S", 0.01)
    async with asyncio.timeout(10):  # or it would hang where nothing ends the seek
        await waiting.perform_seek()
    [failure] = failures
    assert isinstance(failure, StreamError)
    assert "start again" in str(failure)


class ReportingThread:
    """A consumer's thread whose broker tells these ends, one after the other."""

    def __init__(self, ends: Sequence[int | None]) -> None:
        self._ends = list(ends)
        self.requested = 0

    async def ends(self, tps: Sequence[TP]) -> Mapping[TP, int] | None:
        self.requested += 1
        end = self._ends.pop(0)
        return None if end is None else dict.fromkeys(tps, end)


def pausing(ends: Sequence[int | None]) -> Any:
    made: Any = BatchConsumer.__new__(BatchConsumer)
    made._thread, made._ends, made._throttle = ReportingThread(ends), None, PollThrottle(lambda: 1_000.0)
    made._get_active_partitions = lambda: {DELTAS}
    made._throttle.on_read(ITEMS, more=False)
    return made


@pytest.mark.parametrize(
    ("ends", "left"), [([7], 600.0), ([7, 8, 9], 600.0), ([7, 7], 0.0), ([None, None], 600.0), ([7, None, 7], 600.0)]
)
async def test_a_pause_ends_where_the_log_ends_where_it_did(ends, left):
    waiting = pausing(ends)
    for _ in ends:
        await waiting._end_pause_if_idle(ITEMS)
    assert waiting._throttle.remaining_s(ITEMS, [ITEMS], alone=True) == left


@pytest.mark.parametrize(("pause", "requested"), [(5.0, 1), (0.5, 0), (inf, 0)])  # inf: no room for another batch
async def test_only_a_pipeline_that_pauses_for_long_asks_whether_anything_comes(pause, requested):
    waiting = pausing([7])
    waiting.transport = SimpleNamespace(batching=SimpleNamespace(pipelines=[ITEMS]))
    waiting._quotas, waiting._room = lambda: ([], pause, frozenset()), asyncio.Event()
    waiting.flow_active, waiting.app = True, SimpleNamespace(consumer_generation_id=1)

    async def at_once(*_: object, **__: object) -> None:
        return None

    waiting._await_room = at_once
    assert [message async for message in waiting.getmany(timeout=1.0)] == []
    assert waiting._thread.requested == requested


EVENTS = TP("events", 0)
SHOPPERS = PipelineTopics(frozenset({EVENTS.topic}))
RECORD = RawRecord("events", 0, 7, 1, b"u", b"{}", ())


class WokenThread:
    """A consumer's thread that counts how often it is woken."""

    def __init__(self) -> None:
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def consuming():
    made: Any = BatchConsumer.__new__(BatchConsumer)
    made._thread, made._throttle, made._fair_order = WokenThread(), PollThrottle(lambda: 1_000.0), FairOrder()
    made._room, made._is_reading, made._in_flight, made._progress = asyncio.Event(), False, {}, {}
    made._get_active_partitions = lambda: {EVENTS, DELTAS}
    made.transport = SimpleNamespace(batching=SimpleNamespace(pipelines=[SHOPPERS, ITEMS], records=512))
    return made


def delivered(made: Any) -> Batch:
    held = _InFlight(SHOPPERS, [(EVENTS, Span(7, 8, [RECORD]))])
    made._in_flight[id(held.batch)] = held
    made._progress[EVENTS] = Progress(7, 6)
    return held.batch


@pytest.mark.parametrize(("is_reading", "woken"), [(True, 1), (False, 0)])
def test_a_reading_under_way_learns_that_the_next_batch_may_begin(consuming, is_reading, woken):
    batch = delivered(consuming)
    consuming._is_reading = is_reading
    consuming.released_next(batch)
    assert consuming._room.is_set()
    consuming.mark_done(batch)  # there was room already
    assert consuming._thread.woken == woken


def test_a_batch_that_was_the_last_there_was_room_for_makes_room_when_it_is_done(consuming):
    batches = [delivered(consuming) for _ in range(IN_FLIGHT)]
    for batch in batches:
        consuming.released_next(batch)
    consuming._room.clear()
    consuming.mark_done(batches[0])
    assert consuming._room.is_set()


def test_partitions_of_a_pipeline_rest_while_it_pauses_for_longer_than_a_fetch(consuming):
    assert consuming._quotas()[1:] == (inf, frozenset())
    consuming._throttle.on_read(ITEMS, more=False)
    delivered(consuming)
    assert consuming._quotas() == ([], 600.0, frozenset({DELTAS}))
    short = ITEMS._replace(pause_s=0.05)
    consuming.transport.batching.pipelines = [SHOPPERS, short]
    assert consuming._quotas()[1:] == (pytest.approx(0.05), frozenset())


def test_a_fetch_leaves_out_what_rests():
    request = FetchRequest(100, 1, 10, 1, [("events", [(0, 7, 9), (1, 8, 9)]), ("deltas", [(0, 3, 9)])])
    assert _leave_out(request, {DELTAS, TP("events", 1)})
    assert request.topics == [("events", [(0, 7, 9)])]
    assert not _leave_out(request, {EVENTS})
