"""A shopper's row as the model's history: the same function online, in training and in evaluation."""

import numpy as np

from feature_repo.channel import action_on_channel
from feature_repo.identity import item_hash
from feature_repo.recent import Recent
from streams.messages.wire import Int32s, Ints


def write_history(recent: Recent, items: Ints, actions: Int32s, times: Ints) -> None:
    """Write a shopper's recent events into one row of the history tensors.

    Args:
        recent: the shopper's remembered events, oldest first (`ShopperState.recent`).
        items: [L] item hashes, zero-filled by the caller; likewise `actions` and `times` (ms). Right-aligned.
    """
    if not (n := len(recent)):
        return
    items[-n:] = list(map(item_hash, recent.items))
    actions[-n:] = action_on_channel(_codes(recent.actions), _codes(recent.channels))
    times[-n:] = recent.times


def _codes(packed: bytes) -> Int32s:
    return np.frombuffer(packed, np.uint8).astype(np.int32)


def hashes(packed: bytes) -> Ints:
    """Item hashes of a packed list such as `ShopperState.bought`."""
    return np.frombuffer(packed, "<i8").astype(np.int64)
