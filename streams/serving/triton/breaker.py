"""A circuit breaker: stops calling a server that refuses, and asks after it until it is back (rule 12)."""

import asyncio
from collections.abc import Awaitable, Callable


class Breaker:
    """Open after a refusal, until the server says that it is ready.

    Nobody's answer waits for a server that may not be there: what asks after it is a probe of its own, so that a server
    that takes connections and says nothing costs the batches nothing.

    Args:
        probe: whether the server is ready; must end by itself.
        pause_s: seconds before each probe.
    """

    def __init__(self, probe: Callable[[], Awaitable[bool]], pause_s: float) -> None:
        self._probe, self._pause_s = probe, pause_s
        self._probing: asyncio.Task[None] | None = None

    @property
    def closed(self) -> bool:
        """Whether calls go through as normal."""
        return self._probing is None or self._probing.done()

    def trip(self) -> None:
        """Open."""
        if self.closed:
            self._probing = asyncio.create_task(self._until_ready())

    def cancel(self) -> None:
        """Ask no more."""
        if self._probing is not None:
            self._probing.cancel()

    async def _until_ready(self) -> None:
        while True:
            await asyncio.sleep(self._pause_s)
            if await self._probe():
                return
