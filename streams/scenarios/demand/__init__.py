"""Demand: what an item was expected to sell in a window, and an alert when what came parts from it.

Pure, in three steps for a batch of closed windows: `queries` asks the model for every item and window at once,
`evaluate_windows` turns its answer into forecasts and alerts and brings the items' episodes forward.
`fallback_quantiles` is the fallback of the model. A query sees counted units only, never an earlier decision, so it is
the same whether windows close one by one or a thousand in a batch.
"""

from streams.scenarios.demand.evaluate import evaluate_windows
from streams.scenarios.demand.forecasting.fallback import fallback_quantiles
from streams.scenarios.demand.forecasting.queries import DemandQueries, queries
from streams.scenarios.demand.rules import DemandRules
from streams.scenarios.demand.stock import StockPolicy

__all__ = [
    "DemandQueries",
    "DemandRules",
    "StockPolicy",
    "evaluate_windows",
    "fallback_quantiles",
    "queries",
]
