"""What the consumer does when the broker leaves it waiting between two assignments."""

import asyncio
from types import SimpleNamespace
from typing import Any

from streams.errors import StreamError
from streams.transport import consumer
from streams.transport.consumer import ChunkConsumer


class SilentThread:
    """A consumer's thread whose broker does not say what the group has committed."""

    async def rewind(self) -> None:
        await asyncio.Event().wait()


async def test_a_broker_that_does_not_tell_the_groups_offsets_ends_the_worker(monkeypatch):
    failures: list[Exception] = []
    waiting: Any = ChunkConsumer.__new__(ChunkConsumer)  # of all that Faust gives it, it needs these two
    waiting._thread, waiting.transport = SilentThread(), SimpleNamespace(fail=failures.append)
    monkeypatch.setattr(consumer, "_SEEK_S", 0.01)
    async with asyncio.timeout(10):  # or it would hang where nothing ends the seek
        await waiting.perform_seek()
    [failure] = failures
    assert isinstance(failure, StreamError)
    assert "start again" in str(failure)
