"""Demand: forecasts of items, categories and the shop, and alerts when what came differs from what was expected."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from headrace.messages.outputs import DemandAlert, DemandForecast
from headrace.scenarios import ItemSeries, OutputTopic, Scenario, WindowEvaluator
from headrace.settings import Settings
from headrace.topics import Topic


def _alert_key(alert: DemandAlert) -> str:
    """An alert that is about no one item is keyed by what it is about."""
    return alert.item_id or alert.category or alert.scope


def _open(serving: Any, settings: Settings, categories_of: Callable[[str], Sequence[str]]) -> WindowEvaluator:
    from streams.scenarios.demand.forecasting.scorer import (
        DemandWindows,  # a command that only names topics needs no Triton client
    )

    return DemandWindows(serving, settings, categories_of)


DEMAND: Final = Scenario(
    name="demand",
    outputs=[
        OutputTopic(name=Topic.DEMAND_ALERTS, message=DemandAlert, key="item_id", key_of=_alert_key),
        OutputTopic(name=Topic.DEMAND_FORECASTS, message=DemandForecast, key="item_id", compacted=True),
    ],
    series=ItemSeries(name="demand", open=_open),
)
