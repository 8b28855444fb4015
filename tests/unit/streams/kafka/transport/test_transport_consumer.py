"""What the consumer does when the broker leaves it waiting, when batches make way, and what it does not fetch."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.protocol.fetch import FetchRequest
from faust.types import TP

from headrace.errors import StreamError
from streams.kafka.transport import consumer
from streams.kafka.transport.batches import Batch, RawRecord, Span
from streams.kafka.transport.consumer import BatchConsumer, _Delivered
from streams.kafka.transport.progress import Progress
from streams.kafka.transport.pulled_consumer import _leave_out
from streams.scheduler.reading import Batching, ReadScheduler
from streams.scheduler.slots import IN_FLIGHT
from streams.scheduler.throttle import PipelineTopics


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


EVENTS, UPDATES = TP("events", 0), TP("updates", 0)
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
    made._reads = ReadScheduler(Batching(512, 1_000, [SHOPPERS]), lambda: 1_000.0)
    made._thread, made._room, made._is_reading, made._progress = WokenThread(), asyncio.Event(), False, {}
    return made


def delivered(made: Any) -> Batch:
    one = _Delivered.of([(EVENTS, Span(7, 8, [RECORD]))])
    made._reads.begin(SHOPPERS, one.batch, one)
    made._progress[EVENTS] = Progress(7, 6)
    return one.batch


@pytest.mark.parametrize(("is_reading", "woken"), [(True, 1), (False, 0)])
def test_a_reading_under_way_learns_that_the_next_batch_may_begin(consuming, is_reading, woken):
    batch = delivered(consuming)
    consuming._is_reading = is_reading
    consuming.released_next(batch)
    assert consuming._room.is_set()
    consuming.mark_done(batch)  # there was room already
    assert consuming._thread.woken == woken
    assert consuming.folded(EVENTS) == 7


def test_a_batch_that_was_the_last_there_was_room_for_makes_room_when_it_is_done(consuming):
    batches = [delivered(consuming) for _ in range(IN_FLIGHT)]
    for batch in batches:
        consuming.released_next(batch)
    consuming._room.clear()
    consuming.mark_done(batches[0])
    assert consuming._room.is_set()


def test_a_fetch_leaves_out_what_rests():
    request = FetchRequest(100, 1, 10, 1, [("events", [(0, 7, 9), (1, 8, 9)]), ("updates", [(0, 3, 9)])])
    assert _leave_out(request, {UPDATES, TP("events", 1)})
    assert request.topics == [("events", [(0, 7, 9)])]
    assert not _leave_out(request, {EVENTS})
