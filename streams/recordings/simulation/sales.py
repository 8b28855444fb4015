"""What passers-by buy: staples at a steady rate, and planted spikes; both show in windows of an hour.

Each is bought by someone who comes once, so that no shopper's history has anything of it.
"""

from typing import Final

import numpy as np

from headrace.messages.events import EventType
from streams.recordings.simulation.anomalies import is_stopped
from streams.recordings.simulation.shoppers import HOUR_MS
from streams.recordings.simulation.world import World

#: Purchases an hour during a spike; the items it befalls sell about one in twenty hours otherwise.
SPIKE_RATE: Final = 15.0
#: Purchases an hour of a staple: an hour without a single one has probability 3e-4.
STAPLE_RATE: Final = 8.0


def sell_staples(world: World) -> None:
    """Sell each staple all the time, but for the hours in which it has a drop."""
    drops = [a for a in world.anomalies if a.direction == "drop"]
    end = world.start + world.days * 24 * HOUR_MS
    for item in range(world.shop.browsed, len(world.shop.items)):
        for moment in _moments(world.rng, STAPLE_RATE, world.start, end):
            if not is_stopped(drops, item, moment):
                _sell(world, item, moment, "store")


def sell_spikes(world: World) -> None:
    """Sell each item that has a spike."""
    for anomaly in world.anomalies:
        if anomaly.direction == "spike":
            for moment in _moments(world.rng, SPIKE_RATE, anomaly.start, anomaly.end):
                _sell(world, anomaly.item, moment, "web")


def _moments(rng: np.random.Generator, rate: float, start: int, end: int) -> list[int]:
    count = rng.poisson(rate * (end - start) / HOUR_MS)
    return np.sort(rng.integers(start, end, count)).tolist()


def _sell(world: World, item: int, moment: int, channel: str) -> None:
    world.journal.note(
        EventType.PURCHASE,
        f"guest-{world.rng.integers(16**8):08x}",
        moment,
        item_id=world.shop.items[item].item_id,
        price=float(world.shop.price[item]),
        channel=channel,
    )
