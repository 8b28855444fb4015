"""How new a reading is: its distance to the nearest one seen before.

Nearest neighbours find what a distance from the mean does not: a value in a gap between two usual levels, or four usual
values in an order never seen. After conformal k-NN detection (Burnaev and Ishimtsev 2016, "Conformalized density- and
distance-based anomaly detection in time-series data").
"""

from bisect import bisect_left
from collections import deque
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streams.anomaly.sorted_window import MEMORY, SortedWindow

SHAPE: Final = 4
"""Readings in a row that make a shape."""
REACH: Final = 50
"""Readings whose extremes are looked at: a shifted level moves the one, a stilled series the other."""


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


class NearestExtremes:
    """Distances of the highest and the lowest of the last `REACH` readings to the nearest earlier such ones."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=REACH)
        self._highest, self._lowest = NearestValue(), NearestValue()

    def distances(self, value: float) -> tuple[float, float]:
        """Of the highest and of the lowest, once `value` is among them."""
        self._last.append(value)
        return self._highest.distance(max(self._last)), self._lowest.distance(min(self._last))


class NearestShape:
    """Euclidean distance of the last `SHAPE` readings to the nearest earlier ones that do not overlap them."""

    def __init__(self) -> None:
        self._last: deque[float] = deque(maxlen=SHAPE)
        self._overlapping: deque[NDArray[np.float64]] = deque()
        self._past: NDArray[np.float64] = np.empty((1_024, SHAPE))
        self._seen = 0

    def distance(self, value: float) -> float:
        """To the nearest shape before; 0 where there is none. Then the shape counts as past."""
        self._last.extend([value] * (1 if self._last else SHAPE))  # a series begins as if it had always been so
        shape = np.array(self._last)
        self._overlapping.append(shape)
        if len(self._overlapping) > SHAPE:
            self._keep(self._overlapping.popleft())
        past = self._past[: self._seen]
        return float(np.sqrt(((past - shape) ** 2).sum(1).min())) if len(past) else 0.0

    def _keep(self, shape: NDArray[np.float64]) -> None:
        if self._seen == len(self._past) < MEMORY:
            self._past = np.concatenate([self._past, np.empty_like(self._past)])
        self._past[self._seen % MEMORY] = shape
        self._seen += 1
