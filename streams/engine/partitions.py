"""Which partition owns a key: Kafka's default partitioner, that every Java client and kafka-python use."""

from functools import lru_cache

from kafka.partitioner.default import murmur2


@lru_cache(maxsize=1_000_000)
def partition_of(key: str, partitions: int) -> int:
    """The partition that murmur2 names for a key (rule 1)."""
    return (murmur2(key.encode()) & 0x7FFFFFFF) % partitions
