"""How many rows each task gives to a step, and which: temperature-scaled sampling of sources."""

from collections.abc import Iterator, Sequence

import numpy as np

from headrace.arrays import Ints


def rows_of_a_step(sizes: Sequence[int], batch: int, temperature: float) -> list[int]:
    """Rows of each source in every step, two at least: a pair needs another to be told from.

    Sources are drawn in proportion to size ** (1 / temperature). Arivazhagan et al. (2019).
    """
    share = np.array(sizes, float) ** (1 / temperature)
    return [max(2, round(batch * part)) for part in share / share.sum()]


def endless(size: int, count: int, rng: np.random.Generator) -> Iterator[Ints]:
    """So many rows at a time, every row once before any comes again. [count] each, all rows where there are fewer"""
    count = min(count, size)
    waiting = rng.permutation(size)
    while True:
        if len(waiting) < count:
            order = rng.permutation(size)
            first = ~np.isin(order, waiting)  # no batch holds a row twice
            waiting = np.concatenate([waiting, order[first], order[~first]])
        yield waiting[:count]
        waiting = waiting[count:]
