"""Long work in stints: between two of them, whoever shares the thread goes on."""

import asyncio
from collections.abc import Callable
from typing import Final

_STINT_S: Final = 0.001
_WAY_S: Final = 0.002
"""What others have between two stints. One turn of the loop is not enough for them: a load takes dozens on its way, and
would wait for a stint at each."""


class Stints:
    """Knows how long was worked since the last pause.

    Args:
        others_wait: whether somebody needs the thread now. They have it for two milliseconds after a stint of one or
            more; where nobody does, for one turn after every piece of work.
        clock: monotonic seconds.
    """

    def __init__(self, others_wait: Callable[[], bool], clock: Callable[[], float]) -> None:
        self._others_wait = others_wait
        self._clock = clock
        self._went_on = clock()

    async def rest(self) -> None:
        """Between two pieces of work: let others go on, if it is time."""
        others_wait = self._others_wait()
        if others_wait and self._clock() - self._went_on < _STINT_S:
            return
        await asyncio.sleep(_WAY_S if others_wait else 0)
        self._went_on = self._clock()
