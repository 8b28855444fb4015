"""What the consumer does when the broker leaves it waiting, and when a pipeline of a process of its own pauses."""

import asyncio
from collections.abc import Mapping, Sequence
from math import inf
from types import SimpleNamespace
from typing import Any

import pytest
from faust.types import TP

from headrace.errors import StreamError
from streams.kafka.transport import consumer
from streams.kafka.transport.consumer import BatchConsumer
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
async def test_only_a_road_that_pauses_for_long_asks_whether_anything_comes(pause, requested):
    waiting = pausing([7])
    waiting.transport = SimpleNamespace(batching=SimpleNamespace(pipelines=[ITEMS]))
    waiting._quotas, waiting._room = lambda: ([], pause), asyncio.Event()
    waiting.flow_active, waiting.app = True, SimpleNamespace(consumer_generation_id=1)

    async def at_once(*_: object, **__: object) -> None:
        return None

    waiting.wait = at_once
    assert [message async for message in waiting.getmany(timeout=1.0)] == []
    assert waiting._thread.requested == requested
