"""Long work in stints: between two of them, whoever shares the thread goes on."""

import asyncio
from collections.abc import Callable
from typing import Final

_STINT_S: Final = 0.001


class Stints:
    """Knows how long was worked since the last pause.

    Args:
        pause_s: how long others have after a stint of a millisecond or more. One turn of the loop is not enough for
            them: a load takes dozens on its way, and would wait for a stint at each. 0 where nobody waits: one turn
            after every piece of work.
        clock: monotonic seconds.
    """

    def __init__(self, pause_s: float, clock: Callable[[], float]) -> None:
        self._pause_s = pause_s
        self._clock = clock
        self._went_on = clock()

    async def rest(self) -> None:
        """Between two pieces of work: let others go on, if it is time."""
        if not self._pause_s or self._clock() - self._went_on >= _STINT_S:
            await asyncio.sleep(self._pause_s)
            self._went_on = self._clock()
