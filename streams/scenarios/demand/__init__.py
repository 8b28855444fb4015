"""Demand: what an item was expected to sell in a window, and an alert when what came parts from it.

Pure, in three steps for a chunk of closings: `queries` asks the model for every item and window at once, `conclude`
turns its answer into forecasts and alerts and brings the items' episodes forward. `fallback_quantiles` stands in for
the model. A query sees counted units only, never an earlier decision, so it is the same whether windows close one by
one or a thousand in a chunk.
"""

from streams.scenarios.demand.conclude import conclude
from streams.scenarios.demand.fallback import fallback_quantiles
from streams.scenarios.demand.queries import DemandQueries, queries
from streams.scenarios.demand.rules import DemandRules
from streams.scenarios.demand.stock import StockPolicy

__all__ = [
    "DemandQueries",
    "DemandRules",
    "StockPolicy",
    "conclude",
    "fallback_quantiles",
    "queries",
]
