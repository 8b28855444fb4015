"""Only pure steps can poison: what raises in one is isolated, named and left out (rule 11)."""

from collections.abc import Generator
from contextlib import contextmanager

from streams.engine.intake import Refused, Taken
from streams.errors import BadRecord, Reason
from streams.transport import RecordChunk


class Poisoned(Exception):
    """A pure step raised on one record; the chunk is done again without it."""

    def __init__(self, taken: Taken, error: Exception) -> None:
        super().__init__(f"{taken.place}: {error!r}")
        self.taken = taken
        self.error = error

    def refused(self, chunk: RecordChunk) -> Refused:
        """The record as a dead letter."""
        record = next(r for r in chunk.records if r.offset == self.taken.offset)
        detail = f"processing raised {type(self.error).__name__}: {self.error}"
        return Refused(record, self.taken.place, BadRecord(Reason.PROCESSING_FAILED, detail))


@contextmanager
def blame(taken: Taken) -> Generator[None]:
    """Run pure code for one record; whatever it raises is that record's fault."""
    try:
        yield
    except Exception as error:
        raise Poisoned(taken, error) from error
