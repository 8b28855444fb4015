"""How long rows of items stay that no catalogue has: bots and typing errors name new ones without end.

An item may be announced after its first events, so what is counted of it is kept for a while: for as long as leaves a
bounded number of such rows in the store. Each write begins the time anew, and the item's record ends it: see
`docs/explanation/exactness.md`.
"""

import math
from collections.abc import Callable
from typing import Final

_MOST: Final = 20_000
"""Rows at a time, for a worker: 14 MB of the store's memory."""
_SHORTEST_S: Final = 600.0
_LONGEST_S: Final = 7 * 86_400.0
_FIRST_S: Final = 3_600.0
"""What a worker begins with, as long as it has not seen how many there are."""
_FADING_S: Final = 600.0


class Unlisted:
    """Watches how many such rows are written.

    Args:
        clock: monotonic seconds.
        there_is_a_catalogue: a shop without one has no unlisted items.
    """

    def __init__(self, clock: Callable[[], float], there_is_a_catalogue: Callable[[], bool]) -> None:
        self._clock, self._there_is_a_catalogue = clock, there_is_a_catalogue
        self._written = _MOST * _FADING_S / _FIRST_S
        """In the last minutes, those longer ago counting less."""
        self._noted = clock()

    def last_ms(self, rows: int) -> int:
        """Milliseconds that so many rows, which are written now, last; 0 for ever."""
        if not self._there_is_a_catalogue():
            return 0
        now = self._clock()
        self._written = self._written * math.exp((self._noted - now) / _FADING_S) + rows
        self._noted = now
        lasting_s = _MOST * _FADING_S / max(self._written, 1e-9)
        return int(1000 * min(max(lasting_s, _SHORTEST_S), _LONGEST_S))
