"""Batches of texts of like length: padding is the larger part of what a mixed batch computes."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from headrace.arrays import Ints

#: Characters that a text's place may move by, so that batches differ from epoch to epoch.
_JITTER: Final = 16


def length_batches(texts: Sequence[str], size: int, rng: np.random.Generator) -> Iterator[Ints]:
    """One epoch: every text once, those of like length together, the batches in random order. [size] rows each"""
    lengths = np.fromiter((len(text) for text in texts), np.float64, len(texts))
    order = np.argsort(lengths + rng.uniform(0, _JITTER, len(texts)), kind="stable")
    starts = np.arange(0, len(texts), size)
    for start in rng.permutation(starts):
        yield order[start : start + size]


def steps_per_epoch(rows: int, size: int) -> int:
    """How many batches an epoch has."""
    return -(-rows // size)
