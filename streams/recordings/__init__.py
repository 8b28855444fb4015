"""Recorded streams: read, write, validate, import, simulate, record and replay."""

from collections.abc import Callable

#: Told now and then how much of a long job is done: (done, total), total 0 when it is not known yet.
OnProgress = Callable[[int, int], None]


def no_progress(done: int, total: int) -> None:
    """A `Report` for callers that show no progress."""
