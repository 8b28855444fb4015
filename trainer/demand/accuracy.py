"""How good forecasts of demand are."""

from typing import Final

import numpy as np
from msgspec import Struct

from headrace.arrays import Floats

LEVELS: Final = (0.1, 0.5, 0.9)


class DemandAccuracy(Struct, frozen=True):
    """One method's figures.

    Attributes:
        wql: quantile loss at 0.1, 0.5 and 0.9, twice its sum over all items and windows over the sum of their units,
            mean over the levels (Wen et al. 2017, Park et al. 2022).
        mase: mean over items of the median forecast's absolute error over that of the seasonal naive forecast in the
            time before (Hyndman and Koehler 2006).
        coverage80: share of windows inside the 80 % interval.
    """

    wql: float
    mase: float
    coverage80: float


class MethodForecast(Struct, frozen=True):
    """What a method said of the windows scored.

    Attributes:
        quantiles: at `LEVELS` [items, windows, 3]
        lower, upper: of the 80 % interval [items, windows]
    """

    quantiles: Floats
    lower: Floats
    upper: Floats


def accuracy(forecast: MethodForecast, units: Floats, naive_error: Floats) -> DemandAccuracy:
    """Score a method.

    Args:
        units: what came [items, windows]
        naive_error: the seasonal naive forecast's mean absolute error before the split; items where it is 0 have no
            MASE [items]
    """
    losses = [_pinball(forecast.quantiles[:, :, i], units, level) for i, level in enumerate(LEVELS)]
    median = forecast.quantiles[:, :, LEVELS.index(0.5)]
    scaled = naive_error > 0
    errors = np.abs(units - median).mean(1)[scaled] / naive_error[scaled]
    inside = (units >= np.round(forecast.lower)) & (units <= np.round(forecast.upper))
    return DemandAccuracy(
        float(2 * np.sum(losses) / len(LEVELS) / max(float(units.sum()), 1.0)),
        float(errors.mean()) if len(errors) else 0.0,
        float(inside.mean()),
    )


def naive_errors(units: Floats, lag: int) -> Floats:
    """Mean absolute error of the forecast "as `lag` windows ago", from each item's first sale on. [items]"""
    error = np.abs(units[:, lag:] - units[:, :-lag])
    known = (units.cumsum(1) > 0)[:, :-lag]
    return ((error * known).sum(1) / np.maximum(known.sum(1), 1)).astype(np.float32)


def _pinball(quantile: Floats, units: Floats, level: float) -> float:
    error = units - quantile
    return float(np.maximum(level * error, (level - 1) * error).sum())
