"""A shopper's row as the model's history: the same function online, in training and in evaluation."""

from collections.abc import Sequence

import numpy as np

from feature_repo.channel import action_on_channel
from feature_repo.identity import item_hash
from feature_repo.shopper import RecentEvent
from streams.messages.wire import HISTORY, Int32s, Ints


def write_history(recent: Sequence[RecentEvent], items: Ints, actions: Int32s, times: Ints) -> None:
    """Write a shopper's recent events into one row of the history tensors.

    Args:
        recent: the shopper's remembered events, oldest first (`ShopperState.recent`).
        items: [L] item hashes, zero-filled by the caller; likewise `actions` and `times` (ms). Right-aligned.
    """
    recent = recent[-HISTORY:]
    if not recent:
        return
    n = len(recent)
    items[-n:] = [item_hash(e.item_id) for e in recent]
    actions[-n:] = [action_on_channel(e.action, e.channel) for e in recent]
    times[-n:] = [e.timestamp for e in recent]


def hashes(packed: bytes) -> Ints:
    """Item hashes of a packed list such as `ShopperState.bought`."""
    return np.frombuffer(packed, "<i8").astype(np.int64)
