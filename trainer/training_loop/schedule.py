"""Learning rates: a linear warm-up, then a plateau that steps down when validation stalls, or a half cosine."""

import math
from typing import Final, Literal

Schedule = Literal["plateau", "cosine"]

STALLED: Final = 0.4
"""What an epoch that validates no better multiplies the plateau's rate by."""
_LONGEST_WARM_UP: Final = 100


def rate(schedule: Schedule, step: int, steps: int, steps_per_epoch: int, stalls: int) -> float:
    """The share of the full learning rate that a step gets.

    Args:
        step: of the optimizer, from 1.
        steps: at most, over all epochs.
        steps_per_epoch: the warm-up takes one epoch, and no more than 100 steps.
        stalls: epochs so far that validated no better than the best.
    """
    warm = min(_LONGEST_WARM_UP, max(1, steps_per_epoch))
    start = min(1.0, step / warm)
    if schedule == "plateau":
        return start * STALLED**stalls
    gone = max(0, step - warm) / max(1, steps - warm)
    return start * 0.5 * (1 + math.cos(math.pi * min(1.0, gone)))
