"""What is left of a reading once its season is taken off."""

from collections import deque
from itertools import islice
from statistics import median
from typing import Final

import numpy as np

from streams.scenarios.anomaly.season import find_season
from streams.scenarios.anomaly.sorted_window import MEMORY

_FIRST_LOOK: Final = 100
"""Readings before a season is looked for; it is again whenever they have doubled, which costs next to nothing."""
_EARLIER: Final = 7
"""Seasons whose readings at the same place are compared; their median forgives one of them an anomaly."""
_LEAST_SEASONS: Final = 3


class SeasonalResidual:
    """A series against its own season.

    Readings are laid on an even grid, so that a gap in a series does not shift its season.
    """

    def __init__(self) -> None:
        self._season = 0
        self._seen = 0
        self._look = _FIRST_LOOK
        self._values: deque[float] = deque(maxlen=MEMORY)

    def residual(self, value: float, gap: int) -> float | None:
        """Take one reading; None while no season is known.

        Args:
            gap: readings that are missing before it.
        """
        self._fill(gap)
        if self._seen >= self._look:
            self._season = find_season(np.array(self._values))
            self._look += min(self._look, MEMORY)
        at_place = self._at_same_place()
        self._append(value)
        if len(at_place) < _LEAST_SEASONS:
            return None
        return value - median(at_place)

    def _fill(self, gap: int) -> None:
        """A missing reading is as it was a season before, or as the last one."""
        for _ in range(min(gap, MEMORY)):
            at_place = self._at_same_place()
            self._append(at_place[0] if at_place else self._values[-1])

    def _append(self, value: float) -> None:
        self._values.append(value)
        self._seen += 1

    def _at_same_place(self) -> list[float]:
        """The readings one, two, … seasons before the coming one."""
        if not self._season:
            return []
        n = len(self._values)
        before = range(n - self._season, -1, -self._season)
        return [self._values[i] for i in islice(before, _EARLIER)]
