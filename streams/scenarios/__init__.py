"""What Headrace answers: one file a scenario, one line here to register it."""

from streams.scenarios.ctr import CTR
from streams.scenarios.recommend import RECOMMEND

#: Scenarios on the shoppers' road. Demand runs on the items' road (`scenarios.demand`).
SHOPPER_SCENARIOS = (CTR, RECOMMEND)
