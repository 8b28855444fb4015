"""Whether a worker lives and works: what it notes of itself, and what follows. Pure but for the clock it is given."""

from collections.abc import Callable
from typing import Final, NamedTuple

_STUCK_S: Final = 120.0
_LOST_S: Final = 600.0
"""Work in hand may be long: a window that closes for all items. Past this it is not coming back."""
_SILENT_S: Final = 60.0


class Health(NamedTuple):
    """How a worker does.

    Attributes:
        dead: why a supervisor should start it again; "" while it lives.
        unready: why it answers nothing now; "" when it does.
    """

    dead: str
    unready: str


class HealthMonitor:
    """One worker's notes of itself.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._progressed = self._beaten = clock()
        self._behind = 0
        self._trouble = ""

    def beat(self) -> None:
        """The loop turns."""
        self._beaten = self._clock()

    def note_progress(self) -> None:
        """A batch is done, or partitions were assigned: whatever blocked the worker is gone."""
        self._progressed = self._clock()
        self._trouble = ""

    def note_blocked(self, trouble: str) -> None:
        """Something else has to come back before anything can go on."""
        self._trouble = trouble

    def note_lag(self, behind: int) -> None:
        """So many records wait for this worker."""
        self._behind = behind
        if not behind:
            self._progressed = self._clock()

    def stuck(self, *, busy: bool) -> str:
        """Why the worker should end itself: records wait, and none reaches it; "" otherwise."""
        idle = self._clock() - self._progressed
        return f"No batch was finished for {idle:.0f} s though records wait" if not busy and idle > _STUCK_S else ""

    def dead(self) -> str:
        """Why somebody else should end it: it cannot do so itself; "" otherwise."""
        now = self._clock()
        if now - self._beaten > _SILENT_S:
            return f"its event loop has not run for {now - self._beaten:.0f} s"
        if self._behind and not self._trouble and now - self._progressed > _LOST_S:
            return f"{self._behind} records wait, and no batch was finished for {now - self._progressed:.0f} s"
        return ""

    @property
    def trouble(self) -> str:
        """What it waits for."""
        return self._trouble
