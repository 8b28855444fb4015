"""What happens to workers while a recording is replayed: where each is struck, and how."""

from collections.abc import Iterator
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

from streams.testing.crash_points import POINTS

_PASSES: Final = (8, 20)
"""Of both roads, so that something has gone through since the last blow."""
_COMMITS: Final = (2, 4)
"""A commit is for all that was done in the third of a second before it."""
_MOMENT_S: Final = (0.2, 4.0)


class How(StrEnum):
    """How a worker is struck."""

    CRASH = "kill -9 at a step"
    FREEZE = "frozen at a step, woken when another has gone on"
    MOMENT = "kill -9 at a moment"


class Blow(NamedTuple):
    """One worker's fate.

    Attributes:
        step: of the road, as `streams.testing.crash_points` names it; "" for a moment's blow.
        passes: of that step before it strikes.
        seconds: after the worker was ready, for a moment's blow.
    """

    how: How
    step: str = ""
    passes: int = 0
    seconds: float = 0.0


def every_step(random: Random) -> list[Blow]:
    """One crash at each step, and one worker that freezes before it writes, in an order of chance."""
    blows = [Blow(How.CRASH, step, random.randint(*(_COMMITS if step == "committed" else _PASSES))) for step in POINTS]
    blows.append(Blow(How.FREEZE, "emitted", random.randint(*_PASSES)))
    random.shuffle(blows)
    return blows


def without_end(random: Random) -> Iterator[Blow]:
    """Rounds of every step, with blows at moments of chance between them."""
    while True:
        yield from every_step(random)
        yield from (Blow(How.MOMENT, seconds=random.uniform(*_MOMENT_S)) for _ in range(2))
