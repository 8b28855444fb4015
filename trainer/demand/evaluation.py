"""`headrace evaluate demand`: fit up to a date, forecast what came after, beside what a statistician would use.

Forecasts are made at the split and then every horizon, each from all that was known by then. Headrace's network learns
nothing after the split; the baselines are fitted anew at every origin.
"""

from datetime import datetime
from math import ceil
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import torch
from numpy.typing import NDArray

from feature_repo.basics.season import season
from feature_repo.basics.windows import Windows, number_at, zone_of
from headrace.arrays import DEMAND_HISTORY, DemandAnswer, DemandTensors
from headrace.errors import TooLittleData, UsageError
from streams.scenarios.demand.forecasting.levels import at_levels
from trainer.demand.accuracy import LEVELS, DemandAccuracy, MethodForecast, accuracy, naive_errors
from trainer.demand.baselines import baseline_forecasts
from trainer.demand.describing import installed_vectors
from trainer.demand.fitting import fit_demand, least_windows
from trainer.demand.interval import interval80
from trainer.demand.network import DemandNetwork
from trainer.demand.series import DemandSeries, read_series
from trainer.training_loop.fit import OnProgress


class DemandEvaluation(NamedTuple):
    """What was measured.

    Attributes:
        methods: figures by method.
        items: rows of `series` that were scored, best seller first.
        split: column of `series` from which on was scored.
        headrace: its forecasts [items, windows from the split on].
    """

    methods: dict[str, DemandAccuracy]
    series: DemandSeries
    items: NDArray[np.int64]
    split: int
    network: DemandNetwork
    headrace: MethodForecast


def evaluate_demand(
    stream: Path, split: datetime, *, windows: Windows, horizon: int, items: int, seed: int, on_progress: OnProgress
) -> DemandEvaluation:
    """Score forecasts of the best sellers.

    Args:
        split: what is learnt lies before it; without a zone it is where the windows begin.
        items: best sellers before the split to score, by units.

    Raises:
        TooLittleData, UsageError: no stream, or too little of it before or after the split.
    """
    series = read_series(stream, windows)
    column = _column(series, split, windows, horizon)
    past = series.before(column)
    fitted = fit_demand(
        past, horizon, vectors=installed_vectors, seed=seed, on_progress=lambda note: on_progress("demand", 0, 0, note)
    )
    best = np.argsort(-series.units[:, :column].sum(1), kind="stable")[:items]
    best = best[series.units[best, :column].any(1)]
    forecasts = _rolling(fitted.network, series, best, column, horizon, on_progress)
    units = series.units[best]
    errors = naive_errors(units[:, DEMAND_HISTORY:column], season(series.window_ms))
    methods = {name: accuracy(made, units[:, column:], errors) for name, made in forecasts.items()}
    return DemandEvaluation(methods, series, best, column, fitted.network, forecasts["headrace"])


def as_forecaster(network: DemandNetwork, tensors: DemandTensors) -> DemandAnswer:
    """What the served network answers."""
    with torch.inference_mode():
        return DemandAnswer(network(*(torch.from_numpy(part) for part in tensors)).numpy())


def _column(series: DemandSeries, split: datetime, windows: Windows, horizon: int) -> int:
    moment = (split if split.tzinfo else split.replace(tzinfo=ZoneInfo(zone_of(windows)))).timestamp() * 1_000
    column = number_at(ceil(moment) - 1, windows) + 1 - series.first // series.window_ms
    if column >= series.units.shape[1]:
        raise UsageError(f"--split {split:%Y-%m-%d}: the stream holds no purchase from then on")
    before, needed = max(column - DEMAND_HISTORY, 0), least_windows(horizon)
    if before < needed:
        raise TooLittleData(
            f"--split {split:%Y-%m-%d}: the stream holds {before} windows before it, and --horizon {horizon} takes "
            f"{needed} to learn from; choose a later --split, a shorter --horizon or a shorter --window"
        )
    return column


def _rolling(
    network: DemandNetwork,
    series: DemandSeries,
    items: NDArray[np.int64],
    split: int,
    horizon: int,
    on_progress: OnProgress,
) -> dict[str, MethodForecast]:
    windows = series.units.shape[1]
    lag = season(series.window_ms)
    origins = range(split, windows, horizon)
    parts: dict[str, list[MethodForecast]] = {}
    for done, origin in enumerate(origins):
        on_progress("origins", done, len(origins), "")
        found = baseline_forecasts(series.units[items, DEMAND_HISTORY:origin], lag, horizon)
        found["headrace"] = forecast(network, query_tensors(series, items, origin))
        for name, made in found.items():
            parts.setdefault(name, []).append(made)
    on_progress("origins", len(origins), len(origins), "")
    return {name: _joined(found, windows - split) for name, found in sorted(parts.items(), key=_headrace_first)}


def query_tensors(series: DemandSeries, items: NDArray[np.int64], origin: int) -> DemandTensors:
    """What is asked about some rows when the window before column `origin` has closed."""
    item, category = series.names()
    return DemandTensors(
        np.ascontiguousarray(series.units[items, origin - DEMAND_HISTORY : origin]),
        np.full(len(items), series.first + origin * series.window_ms, np.int64),
        np.array([series.window_ms]),
        item[items],
        category[items],
        series.paid[items, origin - 1],
    )


def forecast(network: DemandNetwork, tensors: DemandTensors) -> MethodForecast:
    """The network's forecast."""
    quantiles = as_forecaster(network, tensors).quantiles
    return MethodForecast(at_levels(quantiles, LEVELS).astype(np.float32), *interval80(quantiles))


def _joined(parts: list[MethodForecast], windows: int) -> MethodForecast:
    columns = zip(*((p.quantiles, p.lower, p.upper) for p in parts), strict=True)
    return MethodForecast(*(np.concatenate(column, 1)[:, :windows] for column in columns))


def _headrace_first(named: tuple[str, object]) -> bool:
    return named[0] != "headrace"
