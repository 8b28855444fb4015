"""The Faust transport that hands an agent loads of raw records."""

from streams.transport.chunks import Load, RawRecord, RecordChunk

__all__ = ["Load", "RawRecord", "RecordChunk"]
