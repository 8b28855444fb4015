"""One report an anomaly: a score counts only where it exceeds those before it."""

from collections import deque


class AlertSuppressor:
    """The largest anomaly score of the last `readings`, which a new one must exceed."""

    def __init__(self, readings: int) -> None:
        self._readings = readings
        self._seen = 0
        self._largest: deque[tuple[int, float]] = deque()  # each larger than all after it

    def suppress(self, anomaly_score: float) -> float:
        """The anomaly score where it exceeds all of late, else 0."""
        while self._largest and self._largest[0][0] < self._seen - self._readings:
            self._largest.popleft()
        new = not self._largest or anomaly_score > self._largest[0][1]
        while self._largest and self._largest[-1][1] <= anomaly_score:
            self._largest.pop()
        self._largest.append((self._seen, anomaly_score))
        self._seen += 1
        return anomaly_score if new else 0.0
