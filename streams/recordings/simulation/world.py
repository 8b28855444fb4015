"""What every part of the simulation shares."""

from typing import NamedTuple

import numpy as np

from streams.recordings.simulation.anomalies import Anomaly
from streams.recordings.simulation.journal import Journal
from streams.recordings.simulation.shop import Shop
from streams.recordings.simulation.shoppers import Shoppers


class World(NamedTuple):
    """One simulated shop over one period."""

    rng: np.random.Generator
    shop: Shop
    shoppers: Shoppers
    journal: Journal
    anomalies: list[Anomaly]
    start: int  # ms
    days: int
