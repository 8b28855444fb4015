"""Demand: forecasts of items, categories and the shop, and alerts when what came differs from what was expected."""

from typing import Final

from headrace.messages.outputs import DemandAlert, DemandForecast
from headrace.scenarios import OutputTopic, Scenario
from headrace.topics import Topic


def _alert_key(alert: DemandAlert) -> str:
    """An alert that is about no one item is keyed by what it is about."""
    return alert.item_id or alert.category or alert.scope


DEMAND: Final = Scenario(
    name="demand",
    outputs=[
        OutputTopic(name=Topic.DEMAND_ALERTS, message=DemandAlert, key="item_id", key_of=_alert_key),
        OutputTopic(name=Topic.DEMAND_FORECASTS, message=DemandForecast, key="item_id", compacted=True),
    ],
)
