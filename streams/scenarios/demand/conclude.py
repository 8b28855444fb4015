"""Closings and the model's answer to forecasts and alerts; the items' episodes go forward."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from itertools import groupby
from math import log10
from typing import NamedTuple

from feature_repo.demand_index import Closing
from feature_repo.item import KEPT_WINDOWS, Episode, ItemActivity, forget_before
from feature_repo.scopes import CategoriesOf, is_scope, item_of
from streams.messages.outputs import DemandAlert, DemandForecast, ModelRef, StockAdvice
from streams.messages.wire import DEMAND_SPAN, DemandAnswer
from streams.scenarios.demand import calibration, outputs
from streams.scenarios.demand.episodes import Evidence, follow, is_known, most_unusual, over, units_in
from streams.scenarios.demand.kept import Believed, pack
from streams.scenarios.demand.levels import at_levels
from streams.scenarios.demand.queries import Asked, DemandQueries
from streams.scenarios.demand.rounding import chance_of_any, in_units
from streams.scenarios.demand.rules import DemandRules
from streams.scenarios.demand.shared import Sales, SharedDemand
from streams.scenarios.demand.stock import advise
from streams.scenarios.demand.surprise import all_windows, one_window


class _Answers(NamedTuple):
    """What a chunk's closings need to be concluded: by item, and by what was asked."""

    believed: Mapping[str, Believed]
    forecasts: Mapping[Asked, Sequence[Sequence[float]]]
    chances: Mapping[Asked, Sequence[float]]
    stock: Mapping[Asked, StockAdvice]


class _Bar(NamedTuple):
    """What a window's closings are held against.

    Attributes:
        surprise: from which an alert opens.
        judged: surprises of the window so far, to be counted.
        shared: what the window's items have in common.
    """

    surprise: float
    judged: list[float]
    shared: SharedDemand


def conclude(
    closings: Sequence[Closing],
    activities: Mapping[str, ItemActivity],
    asked: DemandQueries,
    answer: DemandAnswer | None,
    kept: MutableMapping[str, bytes],
    surprises: list[int],
    categories_of: CategoriesOf,
    *,
    model: ModelRef,
    fallback: str | None,
    rules: DemandRules,
) -> list[DemandForecast | DemandAlert]:
    """Conclude a chunk's closings, in their order.

    Args:
        activities: the closings' items; their episodes are changed in place.
        asked: the queries made for exactly these closings.
        answer: quantiles for its rows, from the model or from `fallback_quantiles`; None where nothing was asked.
        kept: what the queries were made with; brought forward, unless the model did not answer.
        surprises: judged windows of the past by their surprise; these are added.
        categories_of: the categories of an item, for demand that a category shares.
    """
    answers = _Answers({}, {}, {}, {}) if answer is None else _read(closings, asked, answer, rules)
    origin = outputs.Origin(
        model, fallback, rules.window_ms, tuple(f"{level:g}" for level in rules.levels), rules.windows
    )
    made: list[DemandForecast | DemandAlert] = []
    # A window's threshold comes from the windows before it, so that the order of items says nothing.
    for _, grouped in groupby(closings, key=lambda closing: closing.window_start):
        window = list(grouped)
        shared = SharedDemand(_regular_sales(window, activities, answers, rules.window_ms), categories_of)
        # Without the model forecasts are crude: only what is beyond doubt is told, and nothing is learnt from it.
        crude = fallback is not None
        rate = rules.false_alarms
        bar = calibration.beyond_doubt(rate) if crude else calibration.threshold(surprises, rate)
        judged: list[float] = []
        for closing in window:
            made += _conclude_one(closing, activities[closing.item_id], answers, _Bar(bar, judged, shared), origin)
        if not crude:
            calibration.note(surprises, judged, max(window[0].watched - len(judged), 0))
    if fallback is None:
        kept.update(_still_needed(closings, asked, rules.window_ms))
    return made


def _read(closings: Sequence[Closing], asked: DemandQueries, answer: DemandAnswer, rules: DemandRules) -> _Answers:
    """Add to what is believed of the items what the answer says; its newest windows are the forecasts to tell."""
    one, span = one_window(answer.quantiles), all_windows(answer.quantiles)
    for (item, start), row in asked.rows.items():
        believed = asked.believed[item]
        believed.one[start], believed.span[start] = one[row], span[row]
    told = [closing for closing in closings if closing.judged and not is_scope(closing.item_id)]
    after = [(closing.item_id, closing.window_start + rules.window_ms) for closing in told]
    forecast = answer.quantiles[[asked.rows[key] for key in after]]
    return _Answers(
        asked.believed,
        dict(zip(after, in_units(at_levels(forecast, rules.levels)).tolist(), strict=True)),
        dict(zip(after, chance_of_any(forecast).tolist(), strict=True)),
        dict(zip(after, advise(forecast, rules.stock, rules.window_ms), strict=True)),
    )


def _still_needed(closings: Sequence[Closing], asked: DemandQueries, window_ms: int) -> dict[str, bytes]:
    """What later closings need of the forecasts that these knew, by item."""
    newest = {closing.item_id: closing.window_start for closing in closings if closing.judged}
    return {item: pack(asked.believed[item], start, window_ms) for item, start in newest.items()}


def _conclude_one(
    closing: Closing,
    activity: ItemActivity,
    answers: _Answers,
    bar: _Bar,
    origin: outputs.Origin,
) -> list[DemandForecast | DemandAlert]:
    made: list[DemandForecast | DemandAlert] = []
    if closing.judged and not is_scope(closing.item_id):
        made.append(_forecast(closing, answers, origin))
    if activity.episode is not None:
        alert = _continue(activity, activity.episode, closing, origin)
    else:
        alert = _open(activity, closing, answers, bar, origin)
    if alert is not None:
        made.append(alert)
    if closing.judged or made:
        number = closing.window_start // origin.window_ms
        activity.concluded = number
        forget_before(activity, number + 1 - KEPT_WINDOWS)
    return made


def _forecast(closing: Closing, answers: _Answers, origin: outputs.Origin) -> DemandForecast:
    after = closing.window_start + origin.window_ms
    key = closing.item_id, after
    number = after // origin.window_ms
    item_id = item_of(closing.item_id)
    return outputs.forecast(item_id, number, answers.forecasts[key], answers.chances[key], answers.stock[key], origin)


def _open(
    activity: ItemActivity,
    closing: Closing,
    answers: _Answers,
    bar: _Bar,
    origin: outputs.Origin,
) -> DemandAlert | None:
    number = closing.window_start // origin.window_ms
    # After the last closing nobody would look again to end an episode.
    if not closing.judged or closing.last or not is_known(activity, number):
        return None
    evidence = _evidence(activity, closing, answers, bar.shared, origin.window_ms)
    surprise = -log10(evidence.tail)
    if number - activity.unusual > calibration.APART or surprise > bar.surprise:
        bar.judged.append(surprise)
        activity.unusual = number if surprise >= calibration.UNUSUAL else -1
    if surprise <= bar.surprise:
        return None
    activity.episode = Episode(number, number + 1 - evidence.windows, evidence.spike)
    return outputs.alert(closing.item_id, number, activity.episode, "open", evidence, activity, origin)


def _regular_sales(
    window: Sequence[Closing], activities: Mapping[str, ItemActivity], answers: _Answers, window_ms: int
) -> Iterator[Sales]:
    for closing in window:
        if closing.judged and closing.regular and not is_scope(closing.item_id):
            expected = answers.believed[closing.item_id].one[closing.window_start]
            units = units_in(activities[closing.item_id], closing.window_start // window_ms)
            yield Sales(closing.item_id, units, expected)


def _evidence(
    activity: ItemActivity, closing: Closing, answers: _Answers, shared: SharedDemand, window_ms: int
) -> Evidence:
    item, start = closing.item_id, closing.window_start
    believed = answers.believed[item]
    one, span = believed.one[start], believed.span[start - (DEMAND_SPAN - 1) * window_ms]
    if not is_scope(item):
        one, span = shared.scaled(item, one), shared.scaled(item, span)
    return most_unusual(activity, start // window_ms, one, span, window_ms)


def _continue(activity: ItemActivity, episode: Episode, closing: Closing, origin: outputs.Origin) -> DemandAlert | None:
    number = closing.window_start // origin.window_ms
    evidence, still = follow(activity, episode, number, origin.window_ms)
    if over(episode, number, last=closing.last):
        activity.episode, activity.calm = None, number
        return outputs.alert(closing.item_id, number, episode, "closed", evidence, activity, origin)
    age = number - episode.opened
    if not still or age & (age - 1):  # after 1, 2, 4, 8, … windows: a long episode says so now and then
        return None
    return outputs.alert(closing.item_id, number, episode, "update", evidence, activity, origin)
