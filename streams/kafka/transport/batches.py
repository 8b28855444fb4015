"""What goes from Kafka to an agent: raw records, in partition batches, and these in batches."""

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


class PartitionBatch(NamedTuple):
    """Records of one partition that are processed together, in order.

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


class Batch(NamedTuple):
    """Batches of several partitions that are processed together: what there was to read when the pipeline could take
    more.

    Attributes:
        parts: never none; of one partition number there may be parts of several topics.
    """

    parts: list[PartitionBatch]

    @property
    def size(self) -> int:
        """Records in all parts."""
        return sum(len(part.records) for part in self.parts)


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
    """Cut a span so that the records of each part hold `most_bytes` at most; a larger record is a part of its own."""
    begin, records, held = span.begin, list[RawRecord](), 0
    for record in span.records:
        size = record.size
        if records and held + size > most_bytes:
            end = records[-1].offset + 1
            yield Span(begin, end, records)
            begin, records, held = end, [], 0
        records.append(record)
        held += size
    yield Span(begin, span.end, records)


T = TypeVar("T")


def group_spans(spans: Iterable[tuple[T, Span]], most_bytes: int) -> Iterator[list[tuple[T, Span]]]:
    """Put spans together, in their order, until they hold `most_bytes`; what is larger is cut first."""
    group: list[tuple[T, Span]] = []
    held = 0
    for name, whole in spans:
        weight = whole.size
        for span in (whole,) if weight <= most_bytes else split(whole, most_bytes):
            size = weight if span is whole else span.size
            if group and held + size > most_bytes:
                yield group
                group, held = [], 0
            group.append((name, span))
            held += size
    if group:
        yield group
