"""Shoppers' rows as the model's histories: the same function online, in training and in evaluation."""

from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from feature_repo.shoppers.context import action_on_channel
from feature_repo.shoppers.recent import Recent
from headrace.arrays import HISTORY, Int32s, Ints


def write_histories(recents: Sequence[Recent], items: Ints, actions: Int32s, times: Ints) -> None:
    """Write shoppers' recent events into the history tensors.

    Args:
        recents: each shopper's remembered events, oldest first (`ShopperState.recent`). [B]
        items: [B, L] item hashes, zero-filled by the caller; likewise `actions` and `times` (ms). Right-aligned.
    """
    lengths = [len(recent) for recent in recents]
    row, place = cells(lengths)
    at = row, place + (HISTORY - np.array(lengths, np.int64))[row]
    items[at] = hashes(b"".join([recent.hashes for recent in recents]))
    channels = _codes(recent.channels for recent in recents)
    actions[at] = action_on_channel(_codes(recent.actions for recent in recents), channels)
    times[at] = _times(recents, np.flatnonzero(place == 0))


def _times(recents: Sequence[Recent], begin: NDArray[np.intp]) -> Ints:
    """Event times, one row's after the other's: those of all rows are summed up at once."""
    gaps = np.fromiter(chain.from_iterable([r.gaps for r in recents]), np.int64)
    passed = gaps.cumsum()
    starts = np.array([r.start for r in recents if r.gaps], np.int64) + gaps[begin] - passed[begin]
    return passed + np.repeat(starts, np.diff(begin, append=len(gaps)))


def cells(lengths: Sequence[int]) -> tuple[Ints, Ints]:
    """Row, and place in the row, of what rows of such lengths hold, row after row: one write to all costs what one to
    a row does."""
    length = np.array(lengths, np.int64)
    row = np.repeat(np.arange(len(length)), length)
    return row, np.arange(len(row)) - np.repeat(length.cumsum() - length, length)


def hashes(packed: bytes) -> Ints:
    """Item hashes of a packed list such as `ShopperState.bought`."""
    return np.frombuffer(packed, "<i8").astype(np.int64)


def _codes(packed: Iterable[bytes]) -> Int32s:
    return np.frombuffer(b"".join(packed), np.uint8).astype(np.int32)
