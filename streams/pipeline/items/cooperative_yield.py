"""Cooperative yielding: long work is done in slices, and between two of them others on the thread go on."""

import asyncio
from collections.abc import Callable
from typing import Final

_WORK_S: Final = 0.001
_YIELD_S: Final = 0.002
"""What others have between two slices. One turn of the loop is not enough for them: a batch takes dozens on its way,
and would wait for a slice at each."""


class CooperativeYield:
    """Knows how long was worked since the last pause.

    Args:
        has_waiters: whether somebody needs the thread now. They have it for two milliseconds after a slice of one or
            more; where nobody does, for one turn after every piece of work.
        clock: monotonic seconds.
    """

    def __init__(self, has_waiters: Callable[[], bool], clock: Callable[[], float]) -> None:
        self._has_waiters = has_waiters
        self._clock = clock
        self._resumed_at = clock()

    async def yield_if_due(self) -> None:
        """Between two pieces of work: let others go on, if it is time."""
        has_waiters = self._has_waiters()
        if has_waiters and self._clock() - self._resumed_at < _WORK_S:
            return
        await asyncio.sleep(_YIELD_S if has_waiters else 0)
        self._resumed_at = self._clock()
