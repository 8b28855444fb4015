"""How far a partition has been delivered and finished: the bookkeeping that loses no record. Pure."""

from bisect import insort
from enum import Enum, auto
from typing import NamedTuple

from streams.kafka.transport.batches import Span


class Verdict(Enum):
    """What to do with a span that was read."""

    DELIVER = auto()
    DROP = auto()
    SEEK_BACK = auto()


class Admission(NamedTuple):
    """A verdict, and the part of the span that is new."""

    verdict: Verdict
    span: Span


class Finished:
    """The ranges of a partition that are finished; only those that touch move its frontier.

    Attributes:
        frontier: every offset before it is finished: what may be committed.
        folded: offset of the last record before it that was processed, -1 where none is known. Retention, compaction
            and transaction markers move the frontier, and this does not.
    """

    def __init__(self, frontier: int, folded: int = -1) -> None:
        self.frontier = frontier
        self.folded = folded
        self._ahead: list[tuple[int, int, int]] = []

    def add(self, begin: int, end: int, last: int = -1) -> None:
        """Note that [begin, end) is finished; what lies at or under the frontier changes nothing.

        Args:
            last: offset of the last record in the range; -1 where it holds none.
        """
        insort(self._ahead, (begin, end, last))
        while self._ahead and self._ahead[0][0] <= self.frontier:
            _, end, last = self._ahead.pop(0)
            self.frontier, self.folded = max(self.frontier, end), max(self.folded, last)


class Progress:
    """One partition of one assignment, from the committed offset on.

    Around a rebalance a reader's position and what was really delivered part ways: what was read before it is
    delivered after the seek, or thrown away after the position has moved. So the position is not believed; every
    span must begin where the last one delivered ended.

    Attributes:
        expected: the next offset to deliver.
        finished: the ranges whose work is done.
    """

    def __init__(self, committed: int, folded: int = -1) -> None:
        self.expected = committed
        self.finished = Finished(committed, folded)
        self._last_hole: tuple[int, int] | None = None

    def admit(self, span: Span) -> Admission:
        """Deliver a span that touches, trim one that overlaps, and go back for one that leaves a hole.

        A hole that shows again in the same place is real: retention has deleted what was there.
        """
        if span.end <= self.expected:
            return Admission(Verdict.DROP, span)
        if span.begin > self.expected:
            hole = (self.expected, span.begin)
            if self._last_hole != hole:
                self._last_hole = hole
                return Admission(Verdict.SEEK_BACK, span)
            self.finished.add(*hole)
        if span.begin < self.expected:
            span = span.from_offset(self.expected)
        self.expected = span.end
        self._last_hole = None
        return Admission(Verdict.DELIVER, span)
