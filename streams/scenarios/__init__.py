"""What Headrace answers: one file a scenario, one line here to register it."""

from streams.engine.demand_model import DemandScenario
from streams.scenarios import demand
from streams.scenarios.ctr import CTR
from streams.scenarios.recommend import RECOMMEND

#: Scenarios on the shoppers' road, which all share one model call a chunk.
SHOPPER_SCENARIOS = (CTR, RECOMMEND)

#: The scenario on the items' road.
DEMAND = DemandScenario(demand.queries, demand.fallback_quantiles, demand.DemandRules.of, demand.conclude)
