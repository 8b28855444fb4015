"""Events as sparse matrices: who wanted what, visit by visit, and what a shopper's history weighs now.

Shape letters: T events, V visits, B moments, N items.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from feature_repo.shoppers.shopper import SESSION_GAP_MS
from headrace.arrays import Ints
from trainer.data.score_requests import Case
from trainer.data.shop import Sequences

DAY_MS = 86_400_000


class Recency(NamedTuple):
    """How fast an event of a history loses weight."""

    half_life_days: float
    place_decay: float  # an event counts this much less than the one after it


def wanted_before(sequences: Sequences, split: int) -> Sequences:
    """The wanted events before `split` (ms), shopper by shopper."""
    kept = sequences.wanted & (sequences.time < split)
    start = np.append(0, np.cumsum(kept))[sequences.start]
    item, action, time = sequences.item[kept], sequences.action[kept], sequences.time[kept]
    return Sequences(item, action, time, start)


def shopper_of(sequences: Sequences) -> Ints:
    """Number of the shopper of each event. [T]"""
    return np.repeat(np.arange(len(sequences.start) - 1), np.diff(sequences.start))


def visit_of(sequences: Sequences) -> Ints:
    """Number of the visit of each event; half an hour without an event ends one. [T]"""
    if len(sequences.item) == 0:
        return np.zeros(0, np.int64)
    gap = np.diff(sequences.time) > SESSION_GAP_MS
    begins = np.append(True, gap | (np.diff(shopper_of(sequences)) > 0))
    return np.cumsum(begins) - 1


def incidence(row_T: Ints, item_T: Ints, items: int) -> csr_array:
    """Which rows (shoppers or visits) hold which items: 1 or 0. [rows, N]"""
    rows = int(row_T.max()) + 1 if len(row_T) else 0
    pairs = np.unique(np.stack([row_T, item_T]), axis=1)
    return csr_array((np.ones(pairs.shape[1], np.float32), (pairs[0], pairs[1])), shape=(rows, items))


def histories(sequences: Sequences, cases: Sequence[Case], items: int, recency: Recency) -> csr_array:
    """What each moment's history weighs now, item by item; only wanted events count. [B, N]"""
    row_T, at_T = event_rows(cases)
    wanted_T = sequences.wanted[at_T]
    row_T, at_T = row_T[wanted_T], at_T[wanted_T]
    now_T = np.array([case.now for case in cases], np.int64)[row_T]
    end_T = np.array([case.history.stop for case in cases], np.int64)[row_T]
    days_T = np.maximum(now_T - sequences.time[at_T], 0) / DAY_MS
    weight_T = 0.5 ** (days_T / recency.half_life_days) * recency.place_decay ** (end_T - 1 - at_T)
    return csr_array((weight_T.astype(np.float32), (row_T, sequences.item[at_T])), shape=(len(cases), items))


def event_rows(cases: Sequence[Case]) -> tuple[Ints, Ints]:
    """For every event of every history: the moment's row, and the event's place in the sequences."""
    length = np.array([case.history.stop - case.history.start for case in cases], np.int64)
    first = np.array([case.history.start for case in cases], np.int64)
    row_T = np.repeat(np.arange(len(cases)), length)
    place_T = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    return row_T, first[row_T] + place_T


def dense(score: csr_array) -> NDArray[np.float32]:
    """Scores as an ordinary matrix."""
    return np.asarray(score.toarray(), np.float32)
