"""Timers: what a scenario's fold asks to be woken for, by event time."""

from collections.abc import MutableMapping, Set
from typing import NamedTuple

from headrace.messages.events import LAST_MS


class TimerFired(NamedTuple):
    """An input of a scenario whose timer is due.

    Attributes:
        name: the timer.
        user_id: whose row asked for it.
        timestamp: the time that was asked for, ms since 1970 UTC.
    """

    name: str
    user_id: str
    timestamp: int


class Timers:
    """One scenario's timers in one shopper's row; each is pending once at most, and a later `set` moves it.

    Args:
        declared: the names that the scenario declares.
        due: when each pending timer is due, ms; changed in place.
        now: event time of the input that is folded, ms.
    """

    __slots__ = ("_declared", "_due", "_now")

    def __init__(self, declared: Set[str], due: MutableMapping[str, int], now: int) -> None:
        self._declared = declared
        self._due = due
        self._now = now

    def set(self, name: str, time: int) -> None:
        """Ask for a timer.

        Args:
            time: event time, ms, later than the input's own.

        Raises:
            ValueError: the scenario declares no such timer, or the time is not later than the input's.
        """
        self._check(name)
        if not self._now < time <= LAST_MS:
            raise ValueError(f"timer `{name}` is set to {time}, which is not later than its input, {self._now}")
        self._due[name] = time

    def cancel(self, name: str) -> None:
        """Ask for it no more; one that is not pending stays so.

        Raises:
            ValueError: the scenario declares no such timer.
        """
        self._check(name)
        self._due.pop(name, None)

    def pending(self, name: str) -> int | None:
        """When it is due, ms; None while it is not pending."""
        return self._due.get(name)

    def _check(self, name: str) -> None:
        if name not in self._declared:
            raise ValueError(f"timer `{name}` is not among the scenario's timers")
