"""How new a reading is: its distance to the nearest one seen before.

Nearest neighbours find what a distance from the mean does not: a value in a gap between two usual levels, or four usual
values in an order never seen. After conformal k-NN detection (Burnaev and Ishimtsev 2016, "Conformalized density- and
distance-based anomaly detection in time-series data").
"""

from bisect import bisect_left
from collections import defaultdict, deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.scenarios.anomaly.sorted_window import MEMORY, SortedWindow

_HOUR_MS: Final = 3_600_000
_HOURS: Final = 24


class NearestValue:
    """Distance to the nearest earlier value."""

    def __init__(self) -> None:
        self._past = SortedWindow()

    def distance(self, value: float) -> float:
        """To the nearest value before; 0 where there is none. Then the value counts as past."""
        past = self._past.values
        at = bisect_left(past, value)
        near = [abs(value - past[i]) for i in (at - 1, at) if 0 <= i < len(past)]
        self._past.add(value)
        return min(near, default=0.0)


class NearestAtHour:
    """Distance to the nearest earlier value of the same hour of the day (UTC).

    What people do follows the clock, also where noise hides the season from an autocorrelation.
    """

    def __init__(self) -> None:
        self._past: defaultdict[int, NearestValue] = defaultdict(NearestValue)

    def distance(self, timestamp: int, value: float) -> float:
        """As of `NearestValue`; `timestamp` in ms."""
        return self._past[timestamp // _HOUR_MS % _HOURS].distance(value)


class NearestExtremes:
    """Distances of the highest and the lowest of the last readings to the nearest earlier such ones.

    A shifted level moves the one, a stilled series the other.
    """

    def __init__(self, reach: int) -> None:
        self._last: deque[float] = deque(maxlen=reach)
        self._highest, self._lowest = NearestValue(), NearestValue()

    def distances(self, value: float) -> tuple[float, float]:
        """Of the highest and of the lowest, once `value` is among them."""
        self._last.append(value)
        return self._highest.distance(max(self._last)), self._lowest.distance(min(self._last))


class NearestShape:
    """Euclidean distance of the last `length` readings to the nearest earlier ones that do not overlap them."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._last: deque[float] = deque(maxlen=length)
        self._overlapping: deque[NDArray[np.float64]] = deque()
        self._past: NDArray[np.float64] = np.empty((length, 1_024))  # a column each: sums along memory are fast
        self._seen = 0

    def distance(self, value: float) -> float:
        """To the nearest shape before; 0 where there is none. Then the shape counts as past."""
        self._last.extend([value] * (1 if self._last else self._length))  # a series begins as if it had always been so
        shape = np.array(self._last)
        self._overlapping.append(shape)
        if len(self._overlapping) > self._length:
            self._keep(self._overlapping.popleft())
        if not self._seen:
            return 0.0
        away = self._past[:, : self._seen] - shape[:, None]
        return float(np.sqrt(np.einsum("ij,ij->j", away, away).min()))

    def _keep(self, shape: NDArray[np.float64]) -> None:
        room = self._past.shape[1]
        if self._seen == room < MEMORY:
            self._past = np.concatenate([self._past, np.empty_like(self._past)], 1)
        self._past[:, self._seen % MEMORY] = shape
        self._seen += 1
