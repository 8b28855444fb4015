"""What a demand forecaster must beat, by statsforecast: each fitted anew to every item at every origin."""

import warnings
from typing import Final, cast

import numpy as np
import pandas as pd
from statsforecast import StatsForecast
from statsforecast.models import TSB, AutoETS, CrostonSBA, SeasonalNaive, WindowAverage
from statsforecast.utils import ConformalIntervals

from headrace.arrays import Floats
from trainer.demand.accuracy import MethodForecast

_AVERAGED_SEASONS: Final = 4
_SMOOTHING: Final = 0.1
_INTERVAL_WINDOWS: Final = 4
"""Past horizons from whose errors the intervals of methods without a distribution are made."""
_LEAST_HORIZONS: Final = 10
"""A younger item's series is filled up with zeros before its first sale to so many horizons."""


def baseline_forecasts(units: Floats, season: int, horizon: int) -> dict[str, MethodForecast]:
    """Forecast the `horizon` windows after `units` [items, windows].

    The point forecast stands for the median; nothing is forecast below zero.
    """
    conformal = ConformalIntervals(h=horizon, n_windows=_INTERVAL_WINDOWS)
    series = _long(units, horizon)
    averaged = min(_AVERAGED_SEASONS * season, _shortest_fit(series, horizon))
    models = [
        SeasonalNaive(season, alias="seasonal_naive"),
        WindowAverage(averaged, alias="moving_average", prediction_intervals=conformal),
        AutoETS(season_length=season, alias="auto_ets"),
        CrostonSBA(alias="croston_sba", prediction_intervals=conformal),
        TSB(_SMOOTHING, _SMOOTHING, alias="tsb", prediction_intervals=conformal),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a constant series is no news
        engine = StatsForecast(models=models, freq=1, n_jobs=1, fallback_model=SeasonalNaive(season))
        found = cast(pd.DataFrame, engine.forecast(df=series, h=horizon, level=[80]))
    return {model.alias: _method(found, model.alias, len(units)) for model in models}


def _long(units: Floats, horizon: int) -> pd.DataFrame:
    windows = units.shape[1]
    first = np.minimum((units > 0).argmax(1), max(windows - _LEAST_HORIZONS * horizon, 0))
    item, window = np.nonzero(np.arange(windows) >= first[:, None])
    return pd.DataFrame({"unique_id": item, "ds": window, "y": units[item, window].astype(np.float64)})


def _shortest_fit(series: pd.DataFrame, horizon: int) -> int:
    """Windows of the shortest series once the horizons are off whose errors make the intervals; at least one."""
    return max(int(series.groupby("unique_id").size().min()) - _INTERVAL_WINDOWS * horizon, 1)


def _method(found: pd.DataFrame, name: str, items: int) -> MethodForecast:
    columns = (f"{name}-lo-80", name, f"{name}-hi-80")
    lower, middle, upper = (np.maximum(found[c].to_numpy(np.float32).reshape(items, -1), 0) for c in columns)
    return MethodForecast(np.stack([lower, middle, upper], 2), lower, upper)
