"""Only pure steps can poison: what raises in one is isolated, named and left out (rule 11)."""

from typing import Final

from headrace.errors import BadRecord, Reason
from streams.pipeline.shoppers.decode import Accepted, Rejected

_LONGEST: Final = 500


class PoisonRecord(Exception):
    """A pure step raised on one record; its batch is done again without it."""

    def __init__(self, accepted: Accepted, error: Exception) -> None:
        super().__init__(f"{accepted.position}: {error!r}")
        self.accepted = accepted
        self.error = error

    def rejected(self) -> Rejected:
        """The record as a dead letter."""
        message = str(self.error)[:_LONGEST]  # it may quote the record
        detail = f"processing raised {type(self.error).__name__}: {message}"
        return Rejected(self.accepted.record, self.accepted.position, BadRecord(Reason.PROCESSING_FAILED, detail))
