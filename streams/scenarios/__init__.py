"""What Headrace answers: one file a scenario, one line here to register it."""

from streams.pipeline.items.demand_scorer import DemandScenario
from streams.scenarios import demand
from streams.scenarios.ctr import CTR
from streams.scenarios.recommend.scenario import RECOMMEND

#: Scenarios on the shopper pipeline, which all share one model call a batch.
SHOPPER_SCENARIOS = (CTR, RECOMMEND)

#: The scenario on the item pipeline.
DEMAND = DemandScenario(demand.queries, demand.fallback_quantiles, demand.DemandRules.of, demand.evaluate_windows)
