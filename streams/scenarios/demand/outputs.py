"""The messages of the demand scenario; every id is a function of what caused it."""

from collections.abc import Sequence
from math import log10
from typing import Final, Literal, NamedTuple

from feature_repo.basics.windows import Windows, start_of
from feature_repo.items.item import Episode, ItemActivity
from feature_repo.items.scopes import scope_of
from headrace.messages.ids import alert_id, episode_id, forecast_id
from headrace.messages.outputs import DemandAlert, DemandForecast, ForecastWindow, ModelRef, StockAdvice
from streams.scenarios.demand.alerts.anomaly import interval
from streams.scenarios.demand.alerts.episodes import Evidence
from streams.scenarios.demand.rounding import mean_units

_CERTAIN: Final = 15.0
"""A score of 1 is as surprising as one in 10 to this power."""
_SHIFTED: Final = 12
"""Windows after which demand that has not come back is a new level."""
_SHOWN: Final = 8


class Origin(NamedTuple):
    """What all messages of a batch share; `levels` are those of the forecasts, as text."""

    model: ModelRef
    fallback: str | None
    window_ms: int
    levels: tuple[str, ...]
    windows: Windows

    def start(self, number: int) -> int:
        """Where a window begins, ms."""
        return start_of(number, self.windows)


def forecast(
    item_id: str,
    first: int,
    quantiles: Sequence[Sequence[float]],
    chances: Sequence[float],
    stock: StockAdvice,
    origin: Origin,
) -> DemandForecast:
    """The forecast of the windows from number `first` on, made when the one before it closed.

    Args:
        quantiles: at the origin's levels. [Z, levels]
        chances: of one unit or more; given where even the highest quantile is less than one. [Z]
    """
    start = origin.start
    return DemandForecast(
        id=forecast_id(item_id, start(first - 1), start(first)),
        timestamp=start(first),
        model=origin.model,
        fallback=origin.fallback,
        item_id=item_id,
        windows=[
            ForecastWindow(
                start(first + z),
                start(first + z + 1),
                dict(zip(origin.levels, levels, strict=True)),
                chance if levels[-1] < 1 else None,
            )
            for z, (levels, chance) in enumerate(zip(quantiles, chances, strict=True))
        ],
        stock=stock,
    )


def alert(
    key: str,
    window: int,
    episode: Episode,
    state: Literal["open", "update", "closed"],
    evidence: Evidence,
    activity: ItemActivity,
    origin: Origin,
) -> DemandAlert:
    """The alert raised, kept up or ended when window number `window` closed."""
    before = window + 1 - evidence.windows
    start = origin.start
    end = start(window + 1)
    direction = "spike" if episode.spike else "drop"
    scope = scope_of(key)
    opened = episode.opened
    name = episode_id(scope.kind, scope.name, start(opened), start(opened + 1), direction)
    lower, upper = interval(evidence.moments)
    return DemandAlert(
        id=alert_id(name, state, start(window), end),
        timestamp=end,
        model=origin.model,
        fallback=origin.fallback,
        scope=scope.kind,
        episode=name,
        state=state,
        window_start=start(before),
        window_end=end,
        observed=float(evidence.observed),
        expected=mean_units(evidence.moments.mean),
        lower=float(lower),
        upper=float(upper),
        score=round(min(-log10(evidence.tail) / _CERTAIN, 1.0), 4),
        direction=direction,
        pattern="level_shift" if window - episode.start >= _SHIFTED else "pulse",
        history=[activity.sold.get(number, 0) for number in range(before - _SHOWN, before)],
        item_id=scope.name if scope.kind == "item" else None,
        category=scope.name if scope.kind == "category" else None,
    )
