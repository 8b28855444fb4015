"""The scenarios that Headrace brings; `pyproject.toml` names each under the entry point group `headrace.scenarios`."""

from streams.pipeline.items.demand_scorer import DemandScenario
from streams.scenarios import demand

#: The scenario on the item pipeline.
DEMAND = DemandScenario(demand.queries, demand.fallback_quantiles, demand.DemandRules.of, demand.evaluate_windows)
