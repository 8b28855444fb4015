"""What to simulate, and what of the shop follows from that alone."""

import numpy as np
from msgspec import Struct

from headrace.errors import UsageError
from streams.recordings.simulation.anomalies import count_drops
from streams.recordings.simulation.shop import Shop, open_shop
from streams.recordings.simulation.shoppers import Shoppers, invite

#: Items of an impression.
SHOWN = 10


class Plan(Struct, frozen=True, kw_only=True):
    """What to simulate.

    Raises:
        UsageError: so small a shop that nothing can be planted in it.
    """

    users: int = 500
    items: int = 200
    days: int = 21
    seed: int = 1
    anomalies: int = 5

    def __post_init__(self) -> None:
        if self.users < 1 or self.days < 1 or self.anomalies < 0 or self.seed < 0:
            raise UsageError("--users and --days must be at least 1, --anomalies and --seed at least 0")
        needed = max(2 * SHOWN, 4 * self.anomalies)
        if self.items < needed:
            raise UsageError(f"--items must be at least {needed} with {self.anomalies} anomalies")


def draw_shop(plan: Plan) -> tuple[np.random.Generator, Shop, Shoppers]:
    """The goods and the shoppers of a plan, always the same, and the generator that goes on from there."""
    rng = np.random.default_rng(plan.seed)
    return rng, open_shop(rng, plan.items, count_drops(plan.anomalies)), invite(rng, plan.users)
