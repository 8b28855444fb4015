"""The detector for any series of readings: one configuration, no labels, no look ahead."""

from collections.abc import Iterator
from math import isfinite
from statistics import median
from typing import Final, NamedTuple

from streams.scenarios.anomaly.novelty import NearestAtHour, NearestExtremes, NearestShape, NearestValue
from streams.scenarios.anomaly.seasonal import SeasonalResidual
from streams.scenarios.anomaly.suppressor import AlertSuppressor
from streams.scenarios.anomaly.tail import Tail

_LARGEST: Final = 1e150
"""Beyond it a value counts as this: squares of larger ones are infinite."""
_INTERVALS: Final = 101
"""The first intervals between readings; their median is the sampling interval."""


class DetectorSettings(NamedTuple):
    """All that is fixed beforehand; `python -m benchmarks.nab.nab` shows what each is worth on series left out.

    Attributes:
        shape: readings in a row that make a shape.
        reach: readings whose extremes are looked at.
        top_share: share of a view's past that its tail is fitted to.
        quiet: readings in which only a larger score is reported.
        value, hour, season: weights of these views; shape and either extreme have 1.
    """

    shape: int = 4
    reach: int = 50
    top_share: float = 0.03
    quiet: int = 200
    value: int = 2
    hour: int = 1
    season: int = 2


SHIPPED: Final = DetectorSettings()


class SeriesDetector:
    """Scores readings one by one.

    Views ask how new a reading is: its value among all and among those of its hour of the day, the shape of the last
    readings, their extremes, and, once a season is found, what the season leaves of it. Each view's distance becomes a
    tail probability learnt from that view's own past; the score is one less their weighted geometric mean.
    """

    def __init__(self, settings: DetectorSettings = SHIPPED) -> None:
        self._settings = settings
        self._value, self._hour, self._left = NearestValue(), NearestAtHour(), NearestValue()
        self._shape, self._extremes = NearestShape(settings.shape), NearestExtremes(settings.reach)
        self._value_tail, self._hour_tail, self._left_tail = self._tail(), self._tail(), self._tail()
        self._shape_tail, self._high_tail, self._low_tail = self._tail(), self._tail(), self._tail()
        self._seasonal = SeasonalResidual()
        self._suppressor = AlertSuppressor(settings.quiet)
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
        views = list(self._views(timestamp, min(max(value, -_LARGEST), _LARGEST), gap))
        anomaly_score = sum(weight * anomaly_score for weight, anomaly_score in views) / sum(
            weight for weight, _ in views
        )
        return 1.0 - 10.0 ** -self._suppressor.suppress(anomaly_score)

    def _views(self, timestamp: int, value: float, gap: int) -> Iterator[tuple[int, float]]:
        """Weight and anomaly score of every view."""
        high, low = self._extremes.distances(value)
        yield self._settings.value, self._value_tail.anomaly_score(self._value.distance(value))
        yield self._settings.hour, self._hour_tail.anomaly_score(self._hour.distance(timestamp, value))
        yield 1, self._shape_tail.anomaly_score(self._shape.distance(value))
        yield 1, self._high_tail.anomaly_score(high)
        yield 1, self._low_tail.anomaly_score(low)
        residual = self._seasonal.residual(value, gap)
        if residual is not None:
            yield self._settings.season, self._left_tail.anomaly_score(self._left.distance(residual))

    def _tail(self) -> Tail:
        return Tail(self._settings.top_share)

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
