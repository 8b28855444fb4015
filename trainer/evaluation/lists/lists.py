"""Lists held against what was wanted: accuracy, and what lies beyond it.

Shape letters: U moments, K places, N items, D width of item vectors.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct, field

from headrace.arrays import Floats, Ints
from trainer.data.score_requests import Case
from trainer.evaluation.lists.beyond_accuracy import NOTHING, BeyondAccuracy, beyond_accuracy
from trainer.evaluation.ranking import NOWHERE, Accuracy, accuracy_of_lists, hits


class Known(NamedTuple):
    """What lists are measured against."""

    hash_N: Ints  # ascending
    count_N: Ints  # training events of each item
    vector_ND: Floats  # what tells items apart: sentence vectors of their texts


class Measured(Struct, frozen=True):
    """How lists do."""

    accuracy: Accuracy
    beyond_accuracy: BeyondAccuracy = field(name="beyond")


def measure_lists(list_UK: Ints, cases: Sequence[Case], known: Known) -> Measured:
    """Measure one list a moment.

    Args:
        list_UK: item hashes, best first; NO_ITEM, or any hash that is not known, is an empty place.
        cases: the moments; each wants one item at least.
    """
    wanted = [case.relevant for case in cases]
    hit_UK = hits(list_UK, wanted)
    row_P = np.repeat(np.arange(len(cases)), [len(some) for some in wanted])
    target_P = np.array([item for some in wanted for item in sorted(some)], np.int64)
    found_PK = list_UK[row_P] == target_P[:, None]
    rank_P = np.where(found_PK.any(axis=1), found_PK.argmax(axis=1) + 1, NOWHERE)
    history_P = np.array([case.history.stop - case.history.start for case in cases], np.int64)[row_P]
    return Measured(
        accuracy_of_lists(hit_UK, np.array([len(some) for some in wanted], np.int64)),
        beyond_accuracy(
            rows_of(known.hash_N, list_UK),
            rank_P,
            rows_of(known.hash_N, target_P),
            known.count_N,
            history_P,
            known.vector_ND,
        ),
    )


def rows_of(hash_N: Ints, items: Ints) -> Ints:
    """Rows of item hashes; NOTHING where there is none."""
    at = np.searchsorted(hash_N, items).clip(max=len(hash_N) - 1)
    return np.where(hash_N[at] == items, at, NOTHING)
