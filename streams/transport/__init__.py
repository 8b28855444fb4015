"""The Faust transport that hands an agent a chunk of raw records at a time."""

from streams.transport.chunks import RawRecord, RecordChunk

__all__ = ["RawRecord", "RecordChunk"]
