"""Identities as integers: what travels to the model instead of strings."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

#: Never the hash of an id: padding in every tensor of hashes.
NO_ITEM: Final = 0
_LENGTH_FOLLOWS: Final = "\x1f"

_IDS: Final = 65_536
"""Ids whose hashes are kept: 13 MB as shops name their items, 30 where all have 128 characters of other scripts; a
million were 219 MB, and ids that nobody knows fill any number. Another one costs 0.8 microseconds."""
_PAIRS: Final = 4_096
_LONGEST_PAIR: Final = 64
"""Context pairs whose hashes are kept, 1 MB, and the characters of such a pair: apart from ids, so that random values
drive out none of them, and without those that are as long as an event may be."""

_CHANNELS: Final = 1_024


@lru_cache(maxsize=_IDS)
def item_hash(item_id: str) -> int:
    """64-bit signed hash of an item id (BLAKE2b, little endian); never `NO_ITEM`.

    The same id gives the same hash in every version, so a worker needs no vocabulary and a swap of model versions no
    coordination. Of a million items, two share a hash with probability 3e-8.
    """
    return _hash(item_id)


def packed_hash(item_id: str) -> bytes:
    """The same in eight bytes, little endian, as packed lists of items hold it."""
    return item_hash(item_id).to_bytes(8, "little", signed=True)


def event_tie(event_id: str) -> int:
    """63-bit hash of an event id: recognises a producer's retry, and chooses what is logged."""
    digest = blake2b(event_id.encode("utf-8", "surrogatepass"), digest_size=8, person=b"event").digest()
    return int.from_bytes(digest, "little") >> 1


def context_hash(name: str, value: str | int | float) -> int:
    """64-bit signed hash of one categorical context pair; never `NO_ITEM`.

    A number without a fraction is an integer, however it was written. A name that could be taken for another name and
    a part of its value is preceded by its length.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if "=" in name or name.startswith(_LENGTH_FOLLOWS):
        name = f"{_LENGTH_FOLLOWS}{len(name)}={name}"
    pair = f"{name}={value}"
    return _pair_hash(pair) if len(pair) <= _LONGEST_PAIR else _hash(pair)


def channel_hash(channel: str) -> int:
    """`context_hash` of a channel: every event has one, and of those that are not long there are few."""
    return _short_channel_hash(channel) if len(channel) <= _LONGEST_PAIR else context_hash("channel", channel)


@lru_cache(maxsize=_CHANNELS)
def _short_channel_hash(channel: str) -> int:
    return context_hash("channel", channel)


def _hash(text: str) -> int:
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) or 1


_pair_hash = lru_cache(maxsize=_PAIRS)(_hash)
