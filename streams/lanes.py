"""Which chunks travel side by side: those of different partitions, and of each partition one after the other."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

SIDE_BY_SIDE: Final = 16
"""Small chunks of many partitions share what they wait for: one call of the model, one produce request, one fsync."""


class Lanes:
    """A lane for each partition number: partition p of every topic of a road writes the same rows (rule 1)."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(SIDE_BY_SIDE)
        self._lanes: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def turn(self, partition: int) -> AsyncGenerator[None]:
        """Hold a partition's lane and one of the slots; whoever asks first comes first."""
        async with self._lanes[partition], self._slots:
            yield

    @asynccontextmanager
    async def still(self, partitions: Iterable[int] | None = None) -> AsyncGenerator[None]:
        """Hold these lanes, or all of them, without a slot: nothing travels there meanwhile."""
        async with AsyncExitStack() as stack:
            for partition in sorted(self._lanes if partitions is None else partitions):
                await stack.enter_async_context(self._lanes[partition])
            yield
