"""A worker is struck at a step of the pipeline, once it has spoken."""

import os
import signal

import pytest

from feature_repo.store.row_store import RowStore
from headrace.settings.model import Settings
from headrace.topics import Topic
from streams.pipeline.emit import Outbox, Producer
from streams.testing.crash_points import POINTS, crash


@pytest.fixture
def signals(monkeypatch) -> list[int]:
    """The signals that the process was to get; producer and store do nothing."""
    dealt: list[int] = []

    async def send(_producer, outbox, _queued=None):
        outbox.messages.clear()

    async def write_serialised(_store, _parts):
        pass

    monkeypatch.setattr(os, "kill", lambda _pid, sent: dealt.append(sent))
    monkeypatch.setattr(Producer, "send", send)
    monkeypatch.setattr(RowStore, "write_serialised", write_serialised)
    return dealt


async def emit(topic: Topic) -> None:
    outbox = Outbox(Settings(), 4)
    outbox.messages[topic, 0] = []
    await Producer.send(None, outbox)


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP])
async def test_the_blow_falls_at_the_given_pass_and_once(signals, sent):
    crash("written", 2, sent)
    await emit(Topic.RECOMMENDATIONS)
    for dealt in ([], [sent], [sent]):
        await RowStore.write_serialised(None, [])
        assert signals == dealt


async def test_a_pass_counts_once_an_answer_is_acknowledged(signals):
    crash("written", 1)
    for topic, dealt in ((Topic.DEAD_LETTERS, 0), (Topic.CTR_SCORES, 1)):
        await emit(topic)
        await RowStore.write_serialised(None, [])
        assert len(signals) == dealt


def test_every_point_is_a_step_that_there_is():
    assert all(callable(getattr(point.owner, point.method)) for point in POINTS.values())
