"""How stretches of logs are cut and put together into batches."""

from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.transport import PartitionBatch, RawRecord
from streams.kafka.transport.batches import Batch, Span, group_spans, split


def record(offset: int, size: int) -> RawRecord:
    return RawRecord("events", 3, offset, 0, None, b"x" * size, ())


def test_size_of_a_record_counts_key_value_and_headers() -> None:
    assert RawRecord("events", 0, 0, 0, b"key", b"value", (("name", b"text"),)).size == 16
    assert RawRecord("items", 0, 0, 0, b"key", None, ()).size == 3


def test_batch_knows_its_first_and_last_offset() -> None:
    part = PartitionBatch("events", 3, [record(7, 1), record(9, 1)])
    assert (part.first_offset, part.last_offset) == (7, 9)


def test_record_larger_than_a_batch_travels_alone() -> None:
    parts = split(Span(0, 3, [record(0, 1), record(1, 99), record(2, 1)]), 10)
    assert [[r.offset for r in part.records] for part in parts] == [[0], [1], [2]]


def test_span_without_records_stays_one() -> None:
    assert list(split(Span(5, 9, []), 10)) == [Span(5, 9, [])]


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(0, 12)), max_size=30), st.integers(0, 5))
def test_parts_touch_cover_the_span_and_keep_to_the_limit(steps: list[tuple[int, int]], tail: int) -> None:
    offsets = [sum(step for step, _ in steps[: n + 1]) for n in range(len(steps))]
    records = [record(offset, size) for offset, (_, size) in zip(offsets, steps, strict=True)]
    whole = Span(0, (offsets[-1] if offsets else 0) + 1 + tail, records)
    parts = list(split(whole, 20))
    assert [r for part in parts for r in part.records] == records
    assert [part.begin for part in parts] == [0, *(part.end for part in parts[:-1])]
    assert parts[-1].end == whole.end
    assert all(sum(r.size for r in part.records) <= 20 for part in parts)


def test_load_counts_the_records_of_all_its_batches() -> None:
    assert Batch([PartitionBatch("events", p, [record(n, 1) for n in range(p + 1)]) for p in range(3)]).size == 6


def test_spans_that_fit_travel_together() -> None:
    spans = [(name, Span(0, 1, [record(0, 4)])) for name in "abc"]
    assert list(group_spans(spans, 8)) == [spans[:2], spans[2:]]


def test_no_span_comes_twice_in_one_batch() -> None:
    spans = [(name, Span(0, 3, [record(n, 6) for n in range(3)])) for name in "ab"]
    groups = list(group_spans(spans, 10))
    assert [[name for name, _ in batch] for batch in groups] == [["a"], ["a"], ["a"], ["b"], ["b"], ["b"]]
