"""A circuit breaker: stops calling a server that refuses, and probes until it is back (rule 12)."""

from collections.abc import Callable


class Breaker:
    """Open after a refusal; lets one probe through each `probe_s` seconds until a call succeeds.

    Args:
        probe_s: seconds between probes.
        clock: monotonic seconds, passed in so that tests advance it.
    """

    def __init__(self, probe_s: float, clock: Callable[[], float]) -> None:
        self._probe_s = probe_s
        self._clock = clock
        self._next_probe: float | None = None

    @property
    def closed(self) -> bool:
        """Whether calls go through as normal."""
        return self._next_probe is None

    def may_call(self) -> bool:
        """Whether to call now; true once a probe interval while open."""
        if self._next_probe is None:
            return True
        if self._clock() < self._next_probe:
            return False
        self._next_probe = self._clock() + self._probe_s
        return True

    def succeeded(self) -> None:
        """Close."""
        self._next_probe = None

    def refused(self) -> None:
        """Open."""
        self._next_probe = self._clock() + self._probe_s
