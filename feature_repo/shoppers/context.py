"""Channels (web, app, store, …) and the context of an input as small integers: hashes, so that no vocabulary travels.

The same, in the same order, online and in training.
"""

from collections.abc import Mapping
from typing import Final

from feature_repo.basics.identity import channel_hash, context_hash
from headrace.arrays import CONTEXT, Int32s

BUCKETS: Final = 31
"""Channels share buckets beyond these; 0 is for events without a channel."""
ACTION_BITS: Final = 4
"""Of a code: the action stands in the lower bits, the channel in those above."""


def channel_bucket(name: str) -> int:
    """The bucket of a channel, from 1 to `BUCKETS`."""
    return channel_hash(name) % BUCKETS + 1


def action_on_channel(action: Int32s, channel: Int32s) -> Int32s:
    """Actions and channels as one code each, as the model's history carries them; not 0 where the action is not."""
    return action | channel << ACTION_BITS


def context_hashes(channel: str, context: Mapping[str, str | int | float] | None) -> list[int]:
    """The channel, then the context pairs by name; at most `CONTEXT` hashes, further pairs are left out."""
    if not context:  # as most have none
        return [channel_hash(channel)]
    if not context:  # as most have none
        return [channel_hash(channel)]
    pairs = sorted(context.items())
    return [channel_hash(channel), *(context_hash(k, v) for k, v in pairs)][:CONTEXT]
