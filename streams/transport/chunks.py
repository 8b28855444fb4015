"""What travels from Kafka to an agent: raw records, in chunks of one partition, and chunks in loads."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar


class RawRecord(NamedTuple):
    """One record as the broker keeps it; nothing is decoded.

    Attributes:
        topic: where it was read, as the contract calls it, whatever prefix it has on the cluster.
        partition: where it was read.
        offset: its place there.
        timestamp: append or create time as the topic is configured, ms since 1970 UTC.
        key: bytes of the key, or None.
        value: bytes of the value, or None.
        headers: name and value of each header, in order.
    """

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]

    @property
    def size(self) -> int:
        """Bytes of key, value and headers."""
        size = len(self.key or b"") + len(self.value or b"")
        return size + sum([len(name) + len(value) for name, value in self.headers]) if self.headers else size


class RecordChunk(NamedTuple):
    """Records of one partition that travel together, in order.

    Attributes:
        topic: where they were read.
        partition: where they were read.
        records: the records; never empty where an agent sees it.
    """

    topic: str
    partition: int
    records: list[RawRecord]

    @property
    def first_offset(self) -> int:
        return self.records[0].offset

    @property
    def last_offset(self) -> int:
        return self.records[-1].offset


class Load(NamedTuple):
    """Chunks of several partitions that travel together: what there was to read when the road could take more.

    Attributes:
        chunks: never none; of one partition number there may be chunks of several topics.
    """

    chunks: list[RecordChunk]

    @property
    def size(self) -> int:
        """Records in all chunks."""
        return sum(len(chunk.records) for chunk in self.chunks)


class Span(NamedTuple):
    """A stretch of a partition's log, read to its end.

    The bounds are positions of the reader, so a span covers the offsets that compaction or transaction markers left
    without a record: spans of one reading touch, whatever lies between their records.

    Attributes:
        begin: first offset covered.
        end: first offset after it.
        records: all records in between.
    """

    begin: int
    end: int
    records: list[RawRecord]

    @property
    def size(self) -> int:
        """Bytes of its records."""
        return sum([record.size for record in self.records])

    def from_offset(self, offset: int) -> "Span":
        """The part at and after `offset`, which lies within the span."""
        return Span(offset, self.end, [record for record in self.records if record.offset >= offset])


def split(span: Span, most_bytes: int) -> Iterator[Span]:
    """Cut a span so that the records of each part hold `most_bytes` at most; a larger record travels alone."""
    begin, taken, held = span.begin, list[RawRecord](), 0
    for record in span.records:
        size = record.size
        if taken and held + size > most_bytes:
            end = taken[-1].offset + 1
            yield Span(begin, end, taken)
            begin, taken, held = end, [], 0
        taken.append(record)
        held += size
    yield Span(begin, span.end, taken)


T = TypeVar("T")


def together(spans: Iterable[tuple[T, Span]], most_bytes: int) -> Iterator[list[tuple[T, Span]]]:
    """Put spans together, in their order, until they hold `most_bytes`; what is larger is cut first."""
    load: list[tuple[T, Span]] = []
    held = 0
    for name, whole in spans:
        weight = whole.size
        for span in (whole,) if weight <= most_bytes else split(whole, most_bytes):
            size = weight if span is whole else span.size
            if load and held + size > most_bytes:
                yield load
                load, held = [], 0
            load.append((name, span))
            held += size
    if load:
        yield load
