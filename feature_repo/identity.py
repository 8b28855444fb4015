"""Identities as integers: what travels to the model instead of strings."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

#: Never the hash of an id: padding in every tensor of hashes.
NO_ITEM: Final = 0
_LENGTH_FOLLOWS: Final = "\x1f"


@lru_cache(maxsize=1_000_000)
def item_hash(item_id: str) -> int:
    """64-bit signed hash of an item id (BLAKE2b, little endian); never `NO_ITEM`.

    The same id gives the same hash in every version, so a worker needs no vocabulary and a swap of model versions no
    coordination. Of a million items, two share a hash with probability 3e-8.
    """
    digest = blake2b(item_id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True) or 1


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
    return item_hash(f"{name}={value}")
