"""Of two records of one item the later append counts, whichever partitions they lie in.

Producers partition differently: what a Java client wrote a librdkafka one withdraws in another partition, and no
partition's order says which came first. Append time does; of one millisecond the higher partition counts as later, so
that every reader agrees, in whatever order it comes to the partitions.
"""

from typing import Final

NEVER: Final = -1
_PARTITION_BITS: Final = 16
_PARTITION: Final = (1 << _PARTITION_BITS) - 1


def append_order(append_ms: int, partition: int) -> int:
    """A number that grows with the append."""
    return append_ms << _PARTITION_BITS | partition


def is_later(order: int, known: int) -> bool:
    """Whether a record counts, where one at `known` has counted: within a partition its own order holds, always."""
    return known == NEVER or order >= known or not lie_apart(order, known)


def lie_apart(order: int, known: int) -> bool:
    """Whether two records lie in different partitions."""
    return order & _PARTITION != known & _PARTITION
