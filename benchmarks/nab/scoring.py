"""The scoring of the Numenta Anomaly Benchmark, written from its paper and rules.

Lavin and Ahmad 2015, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly Benchmark". A detection in
a labelled window earns by how early it is, only the best one of a window counts; outside of windows it costs, less so
shortly after one. The first part of a series is not scored. One threshold is chosen for all series, and the score
lies between a detector that says nothing (0) and a perfect one (100).
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_PROBATION_SHARE: Final = 0.15
_PROBATION_MOST: Final = 750  # the same share of 5,000 readings


class Profile(NamedTuple):
    """What a found window earns, what a false detection and a missed window cost."""

    found: float
    false: float
    missed: float


PROFILES: Final = {
    "standard": Profile(1.0, 0.11, 1.0),
    "reward_low_FP_rate": Profile(1.0, 0.22, 1.0),
    "reward_low_FN_rate": Profile(1.0, 0.11, 2.0),
}


class Labelled(NamedTuple):
    """A series' scores and the labelled windows, first and last reading each, in order."""

    scores: Floats
    windows: list[tuple[int, int]]


class Result(NamedTuple):
    """The score, 100 for a perfect detector, and the threshold that gave it."""

    score: float
    threshold: float


class _Rows(NamedTuple):
    scores: Floats
    credit: Floats  # of a detection there, before weights
    window: Ints  # -1 outside


def nab_score(series: Sequence[Labelled], profile: Profile) -> Result:
    """Score all series with the one threshold that is best for them together."""
    rows, windows = _all_rows(series)
    order = np.argsort(-rows.scores, kind="stable")
    best = [-profile.missed] * windows
    total = nothing = -profile.missed * windows
    result, threshold = total, np.inf
    for place, row in enumerate(order.tolist()):
        window = int(rows.window[row])
        if window < 0:
            total += profile.false * rows.credit[row]
        elif (earned := profile.found * float(rows.credit[row])) > best[window]:
            total += earned - best[window]
            best[window] = earned
        last_of_equals = place + 1 == len(order) or rows.scores[order[place + 1]] != rows.scores[row]
        if last_of_equals and total > result:
            result, threshold = total, float(rows.scores[row])
    perfect = profile.found * windows
    return Result(100 * float(result - nothing) / (perfect - nothing), threshold)


def score_at(series: Sequence[Labelled], profile: Profile, threshold: float) -> float:
    """Score all series with a given threshold, which had better be chosen on others; 100 for a perfect detector."""
    rows, windows = _all_rows(series)
    detected = rows.scores >= threshold
    within, outside = detected & (rows.window >= 0), detected & (rows.window < 0)
    best: Floats = np.full(windows, -profile.missed)
    np.maximum.at(best, rows.window[within], profile.found * rows.credit[within])
    total = best.sum() + profile.false * rows.credit[outside].sum()
    nothing = -profile.missed * windows
    return 100 * float(total - nothing) / (profile.found * windows - nothing)


def probation(readings: int) -> int:
    """Readings at the beginning of a series that are not scored."""
    return min(int(_PROBATION_SHARE * readings), _PROBATION_MOST)


def _all_rows(series: Sequence[Labelled]) -> tuple[_Rows, int]:
    parts: list[_Rows] = []
    windows = 0
    for one in series:
        credit, window = _credit(len(one.scores), one.windows)
        scored = np.s_[probation(len(one.scores)) :]
        parts.append(
            _Rows(one.scores[scored], credit[scored], np.where(window >= 0, window + windows, -1)[scored]),
        )
        windows += len(one.windows)
    return _Rows(*(np.concatenate(column) for column in zip(*parts, strict=True))), windows


def _credit(readings: int, windows: list[tuple[int, int]]) -> tuple[Floats, Ints]:
    """Worth of a detection at each reading, and the window it lies in."""
    credit, inside = np.full(readings, -1.0), np.full(readings, -1)
    for first, last in windows:
        after = np.arange(last + 1, readings)
        credit[last + 1 :] = _sigmoid((after - last) / max(last - first, 1))
    for number, (first, last) in enumerate(windows):
        within = np.arange(first, last + 1)
        credit[first : last + 1] = _sigmoid(-(last - within + 1) / (last - first + 1)) / _sigmoid(np.array(-1.0))
        inside[first : last + 1] = number
    return credit, inside


def _sigmoid(position: Floats) -> Floats:
    """1 far before, 0 at and -1 far after a window's end; position in widths of the window."""
    return np.where(position > 3, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, 3))) - 1)
