"""What happens to workers and servers while a recording is replayed: where each is struck, and how."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

from streams.testing.crash_points import POINTS

_PASSES: Final = (1, 10)
"""Of both pipelines, since the worker first said something."""
_COMMITS: Final = (1, 3)
"""A commit is for all that was done in the third of a second before it."""
_MOMENT_S: Final = (0.2, 4.0)
_AWAY_S: Final = (0.0, 3.0)
"""A killed server stays away so long, and then has to start."""
_STOPPED_S: Final = 30.0
"""Longer than a session, and than any client waits."""
_MOMENTS_A_ROUND: Final = 2


class FaultKind(StrEnum):
    """How a worker is struck."""

    CRASH = "kill -9 at a step"
    FREEZE = "frozen at a step, woken when another has gone on"
    MOMENT = "kill -9 at a moment"
    BESIDE = "one of two workers killed (kill -9)"
    AWAY = "server killed (kill -9), started again"
    TOGETHER = "server and worker killed (kill -9) at once"
    STOPPED = "server stopped for 30 s, woken"


class Fault(NamedTuple):
    """One worker's or one server's fate.

    Attributes:
        server: as `benchmarks.chaos.servers` names it; "" for a worker's.
        step: of the pipeline, as `streams.testing.crash_points` names it; "" for a moment's fault.
        passes: of that step before it strikes.
        seconds: after the worker was ready, or has company; that a server is away.
    """

    kind: FaultKind
    step: str = ""
    passes: int = 0
    seconds: float = 0.0
    server: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.step or self.server}" if self.step or self.server else str(self.kind)


def every_step(random: Random) -> list[Fault]:
    """One crash at each step, and one worker that freezes before it writes, in an order of chance."""
    faults = [
        Fault(FaultKind.CRASH, step, random.randint(*(_COMMITS if step == "committed" else _PASSES))) for step in POINTS
    ]
    faults.append(Fault(FaultKind.FREEZE, "emitted", random.randint(*_PASSES)))
    random.shuffle(faults)
    return faults


def endless(random: Random, servers: Sequence[str]) -> Iterator[Fault]:
    """Rounds of every step, every one of the servers alone and with the worker, and moments, in an order of chance."""
    while True:
        faults = every_step(random)
        faults += [Fault(FaultKind.MOMENT, seconds=random.uniform(*_MOMENT_S)) for _ in range(_MOMENTS_A_ROUND)]
        faults += [Fault(FaultKind.BESIDE, seconds=random.uniform(*_MOMENT_S))]
        for kind in (FaultKind.AWAY, FaultKind.TOGETHER):
            faults += [Fault(kind, seconds=random.uniform(*_AWAY_S), server=server) for server in servers]
        faults += [Fault(FaultKind.STOPPED, seconds=_STOPPED_S, server=random.choice(servers))]
        random.shuffle(faults)
        yield from faults
