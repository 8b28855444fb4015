"""The categorical context of a cause as hashes: the same pairs, in the same order, online and in training."""

from collections.abc import Mapping

from feature_repo.basics.identity import channel_hash, context_hash
from headrace.arrays import CONTEXT


def context_hashes(channel: str, context: Mapping[str, str | int | float] | None) -> list[int]:
    """The channel, then the context pairs by name; at most `CONTEXT` hashes, further pairs are left out."""
    if not context:  # as most have none
        return [channel_hash(channel)]
    pairs = sorted(context.items())
    return [channel_hash(channel), *(context_hash(k, v) for k, v in pairs)][:CONTEXT]
