"""How much of the shop's demand each item had lately, as of any time in the training stream."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headrace.arrays import Floats, Ints

_STEPS: Final = 64
"""Points in time at which popularity is known; the last is the stream's end."""
_FADING: Final = (1 / 40, 1 / 8, 10.0)
"""Half-lives as shares of the stream's length: of the moment, of the season, of all time."""


class Popularity(NamedTuple):
    """Log popularity of N items at S points in time, for P half-lives."""

    log_PSN: Floats
    times: Ints  # [S]  ms; row s counts what came before times[s]

    def step(self, when: Ints) -> Ints:
        """The newest point in time that is not after `when`."""
        return np.clip(np.searchsorted(self.times, when, side="right") - 1, 0, len(self.times) - 1)


def measure_popularity(item: Ints, time: Ints, items: int) -> Popularity:
    """Count events with exponential fading.

    Args:
        item: [T] item row of each event that shows demand.
        time: [T] its time, ms.
        items: N.
    """
    order = np.argsort(time, kind="stable")
    item, time = item[order], time[order]
    times = np.linspace(time[0], time[-1] + 1, _STEPS).astype(np.int64)
    span = float(times[-1] - times[0]) or 1.0
    log_PSN = np.stack([_faded(item, time, times, items, share * span) for share in _FADING])
    return Popularity(log_PSN.astype(np.float32), times)


def _faded(item: Ints, time: Ints, times: Ints, items: int, half_life: float) -> NDArray[np.float64]:
    mass = np.zeros(items)
    rows = np.zeros((len(times), items))
    for step in range(1, len(times)):
        now = times[step]
        window = slice(*np.searchsorted(time, [times[step - 1], now]))
        mass *= 0.5 ** ((now - times[step - 1]) / half_life)
        mass += np.bincount(item[window], 0.5 ** ((now - time[window]) / half_life), minlength=items)
        rows[step] = mass
    # A tenth of an average item's mass keeps the logarithm of the unsold in sight of the others.
    floor = 0.1 * np.maximum(rows.mean(axis=1, keepdims=True), 1e-6)
    shares = (rows + floor) / (rows + floor).sum(axis=1, keepdims=True)
    return np.log(shares)
