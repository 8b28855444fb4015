"""Closings and the model's answer to forecasts and alerts; the items' episodes go forward."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from feature_repo.demand_index import Closing
from feature_repo.item import KEPT_WINDOWS, Episode, ItemActivity, forget_before
from streams.messages.outputs import DemandAlert, DemandForecast, ModelRef
from streams.messages.wire import DEMAND_HORIZON, DemandAnswer
from streams.scenarios.demand import outputs
from streams.scenarios.demand.episodes import follow, opening, over
from streams.scenarios.demand.queries import DemandQueries
from streams.scenarios.demand.surprise import Moments, all_windows, one_window


class _Answers(NamedTuple):
    """A chunk's answer, by row of its queries."""

    rows: Mapping[tuple[str, int], int]
    one: Sequence[Moments]
    span: Sequence[Moments]
    forecasts: Sequence[Sequence[Sequence[float]]]


def conclude(
    closings: Sequence[Closing],
    activities: Mapping[str, ItemActivity],
    asked: DemandQueries,
    answer: DemandAnswer | None,
    *,
    model: ModelRef,
    fallback: str | None,
    window_ms: int,
) -> list[DemandForecast | DemandAlert]:
    """Conclude a chunk's closings, in their order.

    Args:
        activities: the closings' items; their episodes are changed in place.
        asked: the queries made for exactly these closings.
        answer: quantiles for its rows, from the model or from `fallback_quantiles`; None where nothing was asked.
    """
    answers = _Answers(asked.rows, [], [], []) if answer is None else _read(asked, answer)
    origin = outputs.Origin(model, fallback, window_ms)
    made: list[DemandForecast | DemandAlert] = []
    for closing in closings:
        activity = activities[closing.item_id]
        if closing.judged:
            made.append(_forecast(closing, answers, origin))
        alert = _alert(activity, closing, answers, origin)
        if alert is not None:
            made.append(alert)
        if closing.judged or alert is not None:
            number = closing.window_start // window_ms
            activity.concluded = number
            forget_before(activity, number + 1 - KEPT_WINDOWS)
    return made


def _read(asked: DemandQueries, answer: DemandAnswer) -> _Answers:
    quantiles = answer.quantiles
    forecasts = quantiles[:, :, 1:-1].astype(float).round(4).tolist()
    return _Answers(asked.rows, one_window(quantiles), all_windows(quantiles), forecasts)


def _forecast(closing: Closing, answers: _Answers, origin: outputs.Origin) -> DemandForecast:
    after = closing.window_start + origin.window_ms
    return outputs.forecast(closing.item_id, after, answers.forecasts[answers.rows[closing.item_id, after]], origin)


def _alert(activity: ItemActivity, closing: Closing, answers: _Answers, origin: outputs.Origin) -> DemandAlert | None:
    if activity.episode is not None:
        return _continue(activity, activity.episode, closing, origin)
    if closing.judged and not closing.last:  # nobody would look again to end it
        return _open(activity, closing, answers, origin)
    return None


def _open(activity: ItemActivity, closing: Closing, answers: _Answers, origin: outputs.Origin) -> DemandAlert | None:
    item, start, ms = closing.item_id, closing.window_start, origin.window_ms
    number = start // ms
    one = answers.one[answers.rows[item, start]]
    span = answers.span[answers.rows[item, start - (DEMAND_HORIZON - 1) * ms]]
    evidence = opening(activity, number, one, span, ms)
    if evidence is None:
        return None
    activity.episode = Episode(number, number + 1 - evidence.windows, evidence.spike)
    return outputs.alert(item, number, activity.episode, "open", evidence, origin)


def _continue(activity: ItemActivity, episode: Episode, closing: Closing, origin: outputs.Origin) -> DemandAlert | None:
    number = closing.window_start // origin.window_ms
    evidence, still = follow(activity, episode, number, origin.window_ms)
    if over(episode, number, last=closing.last):
        activity.episode, activity.calm = None, number
        return outputs.alert(closing.item_id, number, episode, "closed", evidence, origin)
    age = number - episode.opened
    if not still or age & (age - 1):  # after 1, 2, 4, 8, … windows: a long episode says so now and then
        return None
    return outputs.alert(closing.item_id, number, episode, "update", evidence, origin)
