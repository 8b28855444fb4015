"""Closings and the model's answer to forecasts and alerts; the items' episodes go forward."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from itertools import groupby
from math import log10
from typing import NamedTuple

from feature_repo.items.item import KEPT_WINDOWS, Episode, ItemActivity, drop_before
from feature_repo.items.scopes import CategoriesOf, is_scope, item_of
from feature_repo.items.window_index import ClosedWindow
from headrace.arrays import DEMAND_SPAN, DemandAnswer
from headrace.messages.outputs import DemandAlert, DemandForecast, ModelRef, StockAdvice
from streams.scenarios.demand import outputs
from streams.scenarios.demand.alerts import calibration
from streams.scenarios.demand.alerts.anomaly import all_windows, one_window
from streams.scenarios.demand.alerts.episodes import Evidence, follow, is_known, most_unusual, over, units_in
from streams.scenarios.demand.alerts.shared import Sales, SharedDemand
from streams.scenarios.demand.forecasting.cached import CachedForecasts, pack
from streams.scenarios.demand.forecasting.levels import at_levels
from streams.scenarios.demand.forecasting.queries import DemandQueries, ForecastKey
from streams.scenarios.demand.rounding import chance_of_any, in_units
from streams.scenarios.demand.rules import DemandRules
from streams.scenarios.demand.stock import advise


class _Forecasts(NamedTuple):
    """What a batch's closed windows need to be evaluated: by item, and by what was asked."""

    cached: Mapping[str, CachedForecasts]
    forecasts: Mapping[ForecastKey, Sequence[Sequence[float]]]
    chances: Mapping[ForecastKey, Sequence[float]]
    stock: Mapping[ForecastKey, StockAdvice]


class _AlertThreshold(NamedTuple):
    """What the closed windows of one window are compared with.

    Attributes:
        anomaly_score: from which an alert opens.
        judged: anomaly scores of the window so far, to be counted.
        shared: what the window's items have in common.
    """

    anomaly_score: float
    judged: list[float]
    shared: SharedDemand


def evaluate_windows(
    closed_windows: Sequence[ClosedWindow],
    activities: Mapping[str, ItemActivity],
    queries: DemandQueries,
    result: DemandAnswer | None,
    cached: MutableMapping[str, bytes],
    score_counts: list[int],
    categories_of: CategoriesOf,
    *,
    model: ModelRef,
    fallback: str | None,
    rules: DemandRules,
) -> list[DemandForecast | DemandAlert]:
    """Evaluate a batch's closed windows, in their order.

    Args:
        activities: the closed windows' items; their episodes are changed in place.
        queries: made for exactly these closed windows.
        result: quantiles for its rows, from the model or from `fallback_quantiles`; None where nothing was asked.
        cached: what the queries were made with; brought forward, unless the model did not answer.
        score_counts: judged windows of the past by their anomaly score; these are added.
        categories_of: the categories of an item, for demand that a category shares.
    """
    forecasts = _Forecasts({}, {}, {}, {}) if result is None else _read(closed_windows, queries, result, rules)
    origin = outputs.Origin(
        model, fallback, rules.window_ms, tuple(f"{level:g}" for level in rules.levels), rules.windows
    )
    outputs_made: list[DemandForecast | DemandAlert] = []
    # A window's threshold comes from the windows before it, so that the order of items says nothing.
    for _, grouped in groupby(closed_windows, key=lambda closed: closed.window_start):
        window = list(grouped)
        shared = SharedDemand(_regular_sales(window, activities, forecasts, rules.window_ms), categories_of)
        # Forecasts of the fallback are crude: the threshold is the strict one, and nothing is learnt from them.
        crude = fallback is not None
        rate = rules.false_alarms
        alert_threshold = calibration.strict_threshold(rate) if crude else calibration.threshold(score_counts, rate)
        judged: list[float] = []
        for closed in window:
            outputs_made += _evaluate_one(
                closed,
                activities[closed.item_id],
                forecasts,
                _AlertThreshold(alert_threshold, judged, shared),
                origin,
            )
        if not crude:
            calibration.note(score_counts, judged, max(window[0].watched - len(judged), 0))
    if fallback is None:
        cached.update(_still_needed(closed_windows, queries, rules.window_ms))
    return outputs_made


def _read(
    closed_windows: Sequence[ClosedWindow], queries: DemandQueries, result: DemandAnswer, rules: DemandRules
) -> _Forecasts:
    """Add the result to the cached forecasts of the items; its newest windows are the forecasts to emit."""
    one, span = one_window(result.quantiles), all_windows(result.quantiles)
    for (item, start), row in queries.rows.items():
        cached = queries.cached[item]
        cached.one[start], cached.span[start] = one[row], span[row]
    items = [closed for closed in closed_windows if closed.judged and not is_scope(closed.item_id)]
    after = [(closed.item_id, closed.window_start + rules.window_ms) for closed in items]
    forecast = result.quantiles[[queries.rows[key] for key in after]]
    return _Forecasts(
        queries.cached,
        dict(zip(after, in_units(at_levels(forecast, rules.levels)).tolist(), strict=True)),
        dict(zip(after, chance_of_any(forecast).tolist(), strict=True)),
        dict(zip(after, advise(forecast, rules.stock, rules.window_ms), strict=True)),
    )


def _still_needed(closed_windows: Sequence[ClosedWindow], queries: DemandQueries, window_ms: int) -> dict[str, bytes]:
    """What later closed windows need of the forecasts that these knew, by item."""
    newest = {closed.item_id: closed.window_start for closed in closed_windows if closed.judged}
    return {item: pack(queries.cached[item], start, window_ms) for item, start in newest.items()}


def _evaluate_one(
    closed: ClosedWindow,
    activity: ItemActivity,
    forecasts: _Forecasts,
    threshold: _AlertThreshold,
    origin: outputs.Origin,
) -> list[DemandForecast | DemandAlert]:
    outputs_made: list[DemandForecast | DemandAlert] = []
    if closed.judged and not is_scope(closed.item_id):
        outputs_made.append(_forecast(closed, forecasts, origin))
    if activity.episode is not None:
        alert = _continue(activity, activity.episode, closed, origin)
    else:
        alert = _open(activity, closed, forecasts, threshold, origin)
    if alert is not None:
        outputs_made.append(alert)
    if closed.judged or outputs_made:
        number = closed.window_start // origin.window_ms
        activity.evaluated = number
        drop_before(activity, number + 1 - KEPT_WINDOWS)
    return outputs_made


def _forecast(closed: ClosedWindow, forecasts: _Forecasts, origin: outputs.Origin) -> DemandForecast:
    after = closed.window_start + origin.window_ms
    key = closed.item_id, after
    number = after // origin.window_ms
    item_id = item_of(closed.item_id)
    return outputs.forecast(
        item_id, number, forecasts.forecasts[key], forecasts.chances[key], forecasts.stock[key], origin
    )


def _open(
    activity: ItemActivity,
    closed: ClosedWindow,
    forecasts: _Forecasts,
    threshold: _AlertThreshold,
    origin: outputs.Origin,
) -> DemandAlert | None:
    number = closed.window_start // origin.window_ms
    # After the last closed window nobody would look again to end an episode.
    if not closed.judged or closed.last or not is_known(activity, number):
        return None
    evidence = _evidence(activity, closed, forecasts, threshold.shared, origin.window_ms)
    anomaly_score = -log10(evidence.tail)
    if number - activity.unusual > calibration.UNUSUAL_WINDOWS or anomaly_score > threshold.anomaly_score:
        threshold.judged.append(anomaly_score)
        activity.unusual = number if anomaly_score >= calibration.UNUSUAL else -1
    if anomaly_score <= threshold.anomaly_score:
        return None
    activity.episode = Episode(number, number + 1 - evidence.windows, evidence.spike)
    return outputs.alert(closed.item_id, number, activity.episode, "open", evidence, activity, origin)


def _regular_sales(
    window: Sequence[ClosedWindow], activities: Mapping[str, ItemActivity], forecasts: _Forecasts, window_ms: int
) -> Iterator[Sales]:
    for closed in window:
        if closed.judged and closed.regular and not is_scope(closed.item_id):
            expected = forecasts.cached[closed.item_id].one[closed.window_start]
            units = units_in(activities[closed.item_id], closed.window_start // window_ms)
            yield Sales(closed.item_id, units, expected)


def _evidence(
    activity: ItemActivity, closed: ClosedWindow, forecasts: _Forecasts, shared: SharedDemand, window_ms: int
) -> Evidence:
    item, start = closed.item_id, closed.window_start
    cached = forecasts.cached[item]
    one, span = cached.one[start], cached.span[start - (DEMAND_SPAN - 1) * window_ms]
    if not is_scope(item):
        one, span = shared.scaled(item, one), shared.scaled(item, span)
    return most_unusual(activity, start // window_ms, one, span, window_ms)


def _continue(
    activity: ItemActivity, episode: Episode, closed: ClosedWindow, origin: outputs.Origin
) -> DemandAlert | None:
    number = closed.window_start // origin.window_ms
    evidence, still = follow(activity, episode, number, origin.window_ms)
    if over(episode, number, last=closed.last):
        activity.episode, activity.calm = None, number
        return outputs.alert(closed.item_id, number, episode, "closed", evidence, activity, origin)
    age = number - episode.opened
    if not still or age & (age - 1):  # after 1, 2, 4, 8, … windows: a long episode says so now and then
        return None
    return outputs.alert(closed.item_id, number, episode, "update", evidence, activity, origin)
