"""Keep memory that is free for the next request, and give it back to the system now and then. Stands alone."""

import ctypes
import time
from collections.abc import Callable
from typing import Final

_EVERY_S: Final = 60.0
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
"""glibc's names for `mallopt` (malloc.h)."""
_KEPT: Final = 256 * 2**20
_LARGEST: Final = 32 * 2**20
"""The most that glibc takes for a threshold of what it asks the system for, piece by piece."""


class Trimmed:
    """Answers of many sizes leave glibc with memory that is free and yet resident: 160 MB after 900 requests of 20 to
    300 shoppers. It is given back once a minute, which takes some 25 ms.

    Args:
        trim: gives back what it can.
        clock: monotonic seconds.
    """

    def __init__(self, trim: Callable[[], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._trim = trim
        self._clock = clock
        self._due = clock() + _EVERY_S

    def trim_if_due(self) -> None:
        """Give back, where a minute has passed since the last time."""
        if self._clock() >= self._due:
            self._trim()
            self._due = self._clock() + _EVERY_S


def keep_freed() -> None:
    """Let glibc keep what a request frees for the next one, until it is trimmed.

    Else what is free at the end of the heap goes back at once, and the kernel clears its pages for the next request: 14
    of them an event on the pipeline, a tenth of the model's time. Another C library has no `mallopt`, or heeds none.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt") and libc.mallopt(_MMAP_THRESHOLD, _LARGEST):
        libc.mallopt(_TRIM_THRESHOLD, _KEPT)


def trim_heap() -> None:
    """glibc's `malloc_trim`; another C library has no need of it, or no such thing."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(0)
