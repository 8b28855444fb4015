"""Planted demand anomalies: which item parts from its usual course, when and how."""

from typing import Final, NamedTuple

import numpy as np

from streams.recordings.simulation.shop import Shop
from streams.recordings.simulation.shoppers import HOUR_MS

#: Every fourth anomaly, beginning with the second, is a drop.
_DROP_EVERY: Final = 4
SPIKE_HOURS, DROP_HOURS = 5, 24
#: Hours at the end of the period that are as usual again, so that the last window of each anomaly closes.
_CALM_HOURS: Final = 4


class Anomaly(NamedTuple):
    """One item's demand parts from its usual course from `start` until before `end`, both ms."""

    item: int
    start: int
    end: int
    direction: str  # "spike" or "drop"


def count_drops(anomalies: int) -> int:
    """How many of so many anomalies are drops."""
    return (anomalies + _DROP_EVERY - 2) // _DROP_EVERY


def plan_anomalies(rng: np.random.Generator, shop: Shop, count: int, start: int, days: int) -> list[Anomaly]:
    """Place anomalies in the last third of the period: spikes on good sellers, drops on staples."""
    hours = 24 * days
    drops = count_drops(count)
    staples = list(range(shop.browsed, len(shop.items)))
    sellers = rng.permutation(np.argsort(-shop.popularity)[: max(2 * (count - drops), 10)])
    items = [(int(i), "spike", SPIKE_HOURS) for i in sellers[: count - drops]]
    items += [(i, "drop", DROP_HOURS) for i in staples]
    planned: list[Anomaly] = []
    for item, direction, longest in items:
        length = min(longest, max(2, hours // 3 - _CALM_HOURS))
        begin = int(rng.integers(hours * 2 // 3, max(hours - _CALM_HOURS - length, hours * 2 // 3) + 1))
        first = start + begin * HOUR_MS
        planned.append(Anomaly(item, first, first + length * HOUR_MS, direction))
    return sorted(planned, key=lambda a: (a.start, a.item))


def is_stopped(drops: list[Anomaly], item: int, timestamp: int) -> bool:
    """Whether an item cannot be bought at a moment."""
    return any(a.item == item and a.start <= timestamp < a.end for a in drops)
