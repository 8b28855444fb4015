"""What repeats in a series, found from its past."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_LEAST_LAG: Final = 4
_STRONG: Final = 0.7
"""Autocorrelation from which a series counts as seasonal; a weaker season forecasts worse than the level."""
_RISE: Final = 0.3
"""A peak must stand so far above the lowest autocorrelation before it: slow drift is no season."""
_AS_GOOD: Final = 0.05
"""Two weeks correlate as well as one; of lags this close to the best the shortest is taken."""
_OUTLIERS: Final = (0.01, 0.99)


def find_season(values: NDArray[np.float64]) -> int:
    """The lag after which a series repeats, in readings; 0 where it does not.

    Args:
        values: evenly spaced readings, oldest first; a season must fit into them three times.
    """
    lags = len(values) // 3
    clipped = np.clip(values, *np.quantile(values, _OUTLIERS))
    correlation = _autocorrelation(clipped)[:lags]
    if len(correlation) <= _LEAST_LAG:
        return 0
    inner = correlation[1:-1]
    peaks = np.flatnonzero((inner >= correlation[:-2]) & (inner > correlation[2:])) + 1
    rise = correlation[peaks] - np.minimum.accumulate(correlation)[peaks]
    peaks = peaks[(peaks >= _LEAST_LAG) & (rise > _RISE)]
    best = correlation[peaks].max(initial=0.0)
    return int(peaks[correlation[peaks] >= best - _AS_GOOD][0]) if best >= _STRONG else 0


def _autocorrelation(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Autocorrelation at every lag, by Fourier transform, each lag's sum scaled to the number of its terms."""
    n = len(values)
    spread = values - values.mean()
    largest = np.abs(spread).max()
    if largest == 0:
        return np.zeros(0)
    spectrum = np.fft.rfft(spread / largest, 2 * n)
    sums = np.fft.irfft(spectrum * spectrum.conj())[:n]
    return sums / sums[0] * n / (n - np.arange(n))
