"""Only pure steps can poison: what raises in one is isolated, named and left out (rule 11)."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from headrace.errors import BadRecord, Reason, ScenarioFailed
from streams.kafka.transport import PartitionBatch
from streams.pipeline.shoppers.decode import Accepted, DecodedBatch, RecordPosition, Rejected, position_of

_LONGEST: Final = 500
_FAILURES: Final = 20
_WITHIN_S: Final = 60.0
"""A scenario that raises so often in so short a time raises on whatever comes: it is turned off. Each time costs a
batch that is processed again."""


class PoisonRecord(Exception):
    """A pure step raised on one record; its batch is processed again without it."""

    def __init__(self, accepted: Accepted, error: Exception) -> None:
        super().__init__(f"{accepted.position}: {error!r}")
        self.accepted = accepted
        self.error = error

    def rejected(self) -> Rejected:
        """The record as a dead letter."""
        message = str(self.error)[:_LONGEST]  # it may quote the record
        if not isinstance(self.error, ScenarioFailed):
            message = f"processing raised {type(self.error).__name__}: {message}"
        return Rejected(self.accepted.record, self.accepted.position, BadRecord(Reason.PROCESSING_FAILED, message))


class PoisonRecords:
    """The records that pure steps have raised on, until their dead letters are out.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rejected: dict[RecordPosition, Rejected] = {}
        self._failures: dict[str, deque[float]] = {}

    def note(self, poison: PoisonRecord) -> str | None:
        """Note one; the name of a scenario that has raised on too many of late, if one has."""
        rejected = poison.rejected()
        self._rejected[position_of(rejected.record)] = rejected
        if not isinstance(poison.error, ScenarioFailed):
            return None
        failures = self._failures.setdefault(poison.error.scenario, deque(maxlen=_FAILURES))
        failures.append(self._clock())
        often = len(failures) == _FAILURES and failures[-1] - failures[0] <= _WITHIN_S
        return poison.error.scenario if often else None

    def reject(self, batch: PartitionBatch, decoded: DecodedBatch) -> DecodedBatch:
        """A decoded batch in which these records are rejected."""
        if not self._rejected:
            return decoded
        known = [found for record in batch.records if (found := self._rejected.get(position_of(record)))]
        records = [rejected.record for rejected in known]
        accepted = [one for one in decoded.accepted if one.record not in records]
        return decoded._replace(accepted=accepted, rejected=[*decoded.rejected, *known])

    def forget(self, rejected: Iterable[Rejected]) -> None:
        """Their dead letters are out."""
        for one in rejected:
            self._rejected.pop(position_of(one.record), None)
