"""The detector for any series of readings: one configuration, no labels, no look ahead."""

from math import isfinite
from statistics import median
from typing import Final

from streams.anomaly.aftermath import Aftermath
from streams.anomaly.novelty import NearestExtremes, NearestShape, NearestValue
from streams.anomaly.seasonal import SeasonalResidual
from streams.anomaly.tail import Tail

_LARGEST: Final = 1e150
"""Beyond it a value counts as this: squares of larger ones are infinite."""
_INTERVALS: Final = 101
"""The first intervals between readings; their median is the sampling interval."""


class SeriesDetector:
    """Scores readings one by one.

    Views ask how new a reading is: its value, the shape of the last readings, their extremes, and, once a season is
    found, what the season leaves of it. Each view's distance becomes a tail probability learnt from that view's own
    past; the score is one less their geometric mean, in which value and season weigh double.
    """

    def __init__(self) -> None:
        self._value, self._value_tail = NearestValue(), Tail()
        self._shape, self._shape_tail = NearestShape(), Tail()
        self._extremes, self._high_tail, self._low_tail = NearestExtremes(), Tail(), Tail()
        self._seasonal, self._left, self._left_tail = SeasonalResidual(), NearestValue(), Tail()
        self._aftermath = Aftermath()
        self._last: int | None = None
        self._intervals: list[int] = []

    def score(self, timestamp: int, value: float) -> float:
        """Take one reading.

        Args:
            timestamp: ms; need not move on evenly, or at all.

        Returns:
            0 (as ever) to 1 (never seen the like); 0 for a value that is no finite number, which teaches nothing.
        """
        if not isfinite(value):
            return 0.0
        gap = self._gap_before(timestamp)
        value = min(max(value, -_LARGEST), _LARGEST)
        high, low = self._extremes.distances(value)
        views = [
            *[self._value_tail.surprise(self._value.distance(value))] * 2,
            self._shape_tail.surprise(self._shape.distance(value)),
            self._high_tail.surprise(high),
            self._low_tail.surprise(low),
        ]
        residual = self._seasonal.residual(value, gap)
        if residual is not None:
            views += [self._left_tail.surprise(self._left.distance(residual))] * 2
        surprise = self._aftermath.pass_on(sum(views) / len(views))
        return 1.0 - 10.0**-surprise

    def _gap_before(self, timestamp: int) -> int:
        """Readings that are missing between the last one and this."""
        interval = 0 if self._last is None else timestamp - self._last
        self._last = timestamp
        if interval <= 0:
            return 0
        if len(self._intervals) < _INTERVALS:
            self._intervals.append(interval)
            return 0
        return max(round(interval / median(self._intervals)) - 1, 0)
