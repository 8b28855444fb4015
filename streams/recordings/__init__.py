"""Recorded streams: read, write, validate, import, simulate, record and replay."""

from collections.abc import Callable

#: Told now and then how much of a long job is done: (done, total), total 0 when it is not known yet.
Report = Callable[[int, int], None]


def say_nothing(done: int, total: int) -> None:
    """A `Report` for callers that show no progress."""
