"""The Faust transport that hands an agent batches of raw records."""

from streams.transport.chunks import Batch, PartitionBatch, RawRecord

__all__ = ["Batch", "PartitionBatch", "RawRecord"]
