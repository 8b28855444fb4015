"""What a validation says: one result a check."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

EXAMPLES: Final = 3


class Status(StrEnum):
    """Whether a check held. Only FAIL makes the validation fail."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"


class Result(Struct, frozen=True):
    """How one check went, with a few examples of what broke it."""

    check: str
    status: Status
    detail: str
    examples: list[str] = []


class Validation(Struct, frozen=True):
    """All results; `ok` when none failed."""

    ok: bool
    records: int
    checks: list[Result]

    @property
    def empty(self) -> bool:
        """Whether the file had no line to check."""
        return not self.records and len(self.checks) == 1


class Tally:
    """Counts what breaks one check, and keeps the first few examples."""

    def __init__(self) -> None:
        self.count = 0
        self.examples: list[str] = []

    def add(self, example: str) -> None:
        """Note one breach."""
        self.count += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(example)

    def result(self, check: str, held: str, broken: str, *, otherwise: Status = Status.FAIL) -> Result:
        """PASS with the text `held`, or `otherwise` with the count before the text `broken`."""
        if self.count == 0:
            return Result(check, Status.PASS, held)
        return Result(check, otherwise, f"{self.count} {broken}", self.examples)
