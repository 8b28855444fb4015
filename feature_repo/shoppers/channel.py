"""Channels (web, app, store, …) as small integers: a stable bucket of the name, so that no vocabulary travels."""

from typing import Final

from feature_repo.basics.identity import channel_hash
from headrace.arrays import Int32s

BUCKETS: Final = 31
"""Channels share buckets beyond these; 0 is for rows written before channels were kept."""
ACTION_BITS: Final = 4
"""Of a code: the action stands in the lower bits, the channel in those above."""


def channel_bucket(name: str) -> int:
    """The bucket of a channel, from 1 to `BUCKETS`."""
    return channel_hash(name) % BUCKETS + 1


def action_on_channel(action: Int32s, channel: Int32s) -> Int32s:
    """Actions and channels as one code each, as the model's history carries them; not 0 where the action is not."""
    return action | channel << ACTION_BITS
