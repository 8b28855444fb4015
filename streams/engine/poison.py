"""Only pure steps can poison: what raises in one is isolated, named and left out (rule 11)."""

from typing import Final

from streams.engine.intake import Refused, Taken
from streams.errors import BadRecord, Reason

_LONGEST: Final = 500


class Poisoned(Exception):
    """A pure step raised on one record; its load is done again without it."""

    def __init__(self, taken: Taken, error: Exception) -> None:
        super().__init__(f"{taken.place}: {error!r}")
        self.taken = taken
        self.error = error

    def refused(self) -> Refused:
        """The record as a dead letter."""
        said = str(self.error)[:_LONGEST]  # it may quote the record
        detail = f"processing raised {type(self.error).__name__}: {said}"
        return Refused(self.taken.record, self.taken.place, BadRecord(Reason.PROCESSING_FAILED, detail))
