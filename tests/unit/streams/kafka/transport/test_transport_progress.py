"""Which spans are delivered, which are read again, and what may be committed."""

import random

from hypothesis import given
from hypothesis import strategies as st

from streams.kafka.transport.batches import RawRecord, Span
from streams.kafka.transport.progress import Finished, Progress, Verdict
from streams.kafka.transport.reader import folded_in, note_of


def span(begin: int, end: int) -> Span:
    return Span(begin, end, [RawRecord("events", 0, n, 0, None, b"", ()) for n in range(begin, end)])


def test_touching_spans_are_delivered_whole() -> None:
    progress = Progress(10)
    assert progress.admit(span(10, 20)) == (Verdict.DELIVER, span(10, 20))
    assert progress.admit(span(20, 25)) == (Verdict.DELIVER, span(20, 25))
    assert progress.expected == 25


def test_span_read_before_a_rebalance_is_trimmed_to_what_is_new() -> None:
    progress = Progress(15)
    assert progress.admit(span(10, 20)) == (Verdict.DELIVER, span(15, 20))
    assert progress.admit(span(12, 20)).verdict is Verdict.DROP
    assert progress.expected == 20


def test_hole_is_read_again_and_nothing_moves() -> None:
    progress = Progress(10)
    assert progress.admit(span(30, 40)).verdict is Verdict.SEEK_BACK
    assert (progress.expected, progress.finished.frontier) == (10, 10)
    assert progress.admit(span(10, 40)) == (Verdict.DELIVER, span(10, 40))


def test_hole_that_comes_again_is_real_and_counts_as_finished() -> None:
    progress = Progress(10)
    progress.admit(span(30, 40))
    assert progress.admit(span(30, 50)) == (Verdict.DELIVER, span(30, 50))
    assert (progress.expected, progress.finished.frontier) == (50, 30)


def test_other_hole_is_not_the_same_hole() -> None:
    progress = Progress(10)
    progress.admit(span(30, 40))
    assert progress.admit(span(40, 50)).verdict is Verdict.SEEK_BACK
    assert progress.admit(span(30, 40)).verdict is Verdict.SEEK_BACK


def test_hole_is_forgotten_once_reading_went_on() -> None:
    progress = Progress(10)
    progress.admit(span(30, 40))
    progress.admit(span(10, 20))
    assert progress.admit(span(30, 40)).verdict is Verdict.SEEK_BACK


def test_compacted_stretch_is_no_hole() -> None:
    progress = Progress(0)
    sparse = Span(0, 100, [RawRecord("items", 0, 57, 0, b"i", b"{}", ())])
    assert progress.admit(sparse).verdict is Verdict.DELIVER
    assert progress.admit(span(100, 101)).verdict is Verdict.DELIVER


def test_frontier_waits_for_the_range_that_is_missing() -> None:
    finished = Finished(0)
    finished.add(10, 20)
    assert finished.frontier == 0
    finished.add(0, 10)
    assert finished.frontier == 20


def test_the_last_record_processed_is_known_whatever_gaps_move_the_frontier() -> None:
    finished = Finished(10, folded=7)
    finished.add(10, 15)  # transaction markers alone
    assert (finished.frontier, finished.folded) == (15, 7)
    finished.add(20, 30, 25)
    assert (finished.frontier, finished.folded) == (15, 7)
    finished.add(15, 20, 18)
    assert (finished.frontier, finished.folded) == (30, 25)


def test_what_is_noted_beside_a_commit_is_read_again_and_what_others_note_is_not() -> None:
    assert [folded_in(note_of(offset)) for offset in (0, 7, 2**62)] == [0, 7, 2**62]
    assert [folded_in(note) for note in ("", note_of(-1), "folded=", "folded=x", "7", "NO_METADATA")] == [-1] * 6


def test_range_of_an_older_assignment_moves_the_frontier_only_where_it_touches() -> None:
    finished = Finished(50)
    finished.add(0, 40)
    assert finished.frontier == 50
    finished.add(45, 60)
    assert finished.frontier == 60


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_frontier_is_the_first_offset_not_finished_whatever_the_order(
    lengths: list[int], shuffler: random.Random
) -> None:
    bounds = [(sum(lengths[:n]), sum(lengths[: n + 1])) for n in range(len(lengths))]
    shuffler.shuffle(bounds)
    finished, covered = Finished(0), set[int]()
    for begin, end in bounds:
        finished.add(begin, end)
        covered |= set(range(begin, end))
        assert finished.frontier == next(n for n in range(sum(lengths) + 1) if n not in covered)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=40))
def test_no_offset_is_delivered_twice_or_jumped_over(reads: list[tuple[int, int]]) -> None:
    progress, delivered = Progress(0), list[int]()
    for begin, length in reads:
        # The log holds every offset, so what is read after a seek back begins where it was asked to.
        verdict, part = progress.admit(span(begin, begin + length))
        if verdict is Verdict.SEEK_BACK:
            verdict, part = progress.admit(span(progress.expected, progress.expected + length))
        if verdict is Verdict.DELIVER:
            delivered += [record.offset for record in part.records]
    assert delivered == list(range(len(delivered)))
