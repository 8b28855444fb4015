"""The Faust transport that hands an agent batches of raw records."""

from streams.kafka.transport.batches import Batch, PartitionBatch, RawRecord

__all__ = ["Batch", "PartitionBatch", "RawRecord"]
