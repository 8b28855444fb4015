"""`headrace rebuild`: the topics refolded into a group of its own, behind another's back, until it holds as much."""

import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from os import environ
from pathlib import Path
from typing import Final

from msgspec import Struct

from streams.copartition import prepare
from streams.errors import CheckFailed, UsageError
from streams.recordings import Report, say_nothing
from streams.recordings.traffic.broker import Broker, Offsets
from streams.recordings.traffic.waiting import PATIENCE_S, lag
from streams.settings import Settings
from streams.supervisor import COMMAND
from streams.topics import INPUTS, Topic, item_deltas, rekeyed

_POLL_S: Final = 1.0
_DRAIN_S: Final = 60.0


class Rebuilt(Struct, frozen=True):
    """A group that holds what another holds: records it has folded, in how many seconds."""

    group: str
    rebuild_of: str
    records: int
    seconds: float


def rebuild(old: Settings, group: str, processes: int, report: Report = say_nothing) -> Rebuilt:
    """Fold everything that is still on the topics into a new group, whose workers end when it has caught up.

    Args:
        old: of the group whose workers answer meanwhile.
        group: the new one; one that was begun before goes on.
        report: hears how many records are folded, and of how many.

    Raises:
        UsageError: it is the same group.
        CheckFailed: its workers ended, or folded nothing for two minutes.
    """
    if group == old.group:
        raise UsageError(f"{group} is the group that answers now (HEADRACE_GROUP): name another for what is rebuilt.")
    new = old.model_copy(update={"group": group, "rebuild_of": old.group})
    began = time.monotonic()
    prepare(new)
    with Broker(old.kafka_address) as broker:
        _pass_over_requests(broker, old.group, group)
        watch = _Watch(broker, old.group, new, report)
        with _workers(new, processes) as (worker, log):
            while not watch.has_caught_up():
                if worker.poll() is not None:
                    raise CheckFailed(f"the workers of {group} ended with status {worker.returncode}: see {log}")
                time.sleep(_POLL_S)
        return Rebuilt(group, old.group, watch.folded, round(time.monotonic() - began, 1))


class _Watch:
    """Holds what a group has committed against what another had a moment ago."""

    def __init__(self, broker: Broker, old: str, new: Settings, report: Report) -> None:
        self._broker, self._old, self._new, self._report = broker, old, new, report
        self._inputs = broker.partitions(sorted(INPUTS))
        self._own = [rekeyed(new.group), item_deltas(new.group)]
        self._target: Offsets | None = None
        self._moved = time.monotonic()
        self.folded = 0

    def has_caught_up(self) -> bool:
        """Whether the new group is where the old one, and its own topics, were when this was asked before."""
        committed = self._broker.committed(self._new.group)
        target, self._target = self._target, self._now()
        if target is None:
            return False
        beginnings = self._broker.beginnings(sorted({place.topic for place in target}))
        total = sum(max(0, end - beginnings[place]) for place, end in target.items())
        left = lag(target, beginnings, committed)
        self._note(total - left)
        self._report(total - left, total)
        return left == 0

    def _now(self) -> Offsets:
        done = self._broker.committed(self._old)
        return {**{place: done.get(place, 0) for place in self._inputs}, **self._broker.ends(self._own)}

    def _note(self, folded: int) -> None:
        now = time.monotonic()
        if folded != self.folded:
            self.folded, self._moved = folded, now
        elif now - self._moved > PATIENCE_S:
            raise CheckFailed(f"group {self._new.group} has folded nothing for {PATIENCE_S:.0f} s: see its log.")


def _pass_over_requests(broker: Broker, old: str, new: str) -> None:
    """Score requests leave nothing behind, and are answered: the new group begins where the old one is."""
    if not broker.committed(new):
        done = broker.committed(old)
        broker.start_group_at(new, {p: at for p, at in done.items() if p.topic == Topic.SCORE_REQUESTS})


@contextmanager
def _workers(new: Settings, processes: int) -> Generator[tuple["subprocess.Popen[bytes]", Path]]:
    """Workers of the new group, drained at the end."""
    log = new.home.absolute() / "logs" / f"rebuild-{new.group}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        worker = subprocess.Popen(
            [*COMMAND, "--processes", str(processes)], env=_variables(new), stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield worker, log
    finally:
        worker.terminate()
        try:
            worker.wait(_DRAIN_S)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _variables(new: Settings) -> Mapping[str, str]:
    """The metrics port stays with the workers that answer."""
    own = {"HEADRACE_GROUP": new.group, "HEADRACE_REBUILD_OF": str(new.rebuild_of), "HEADRACE_METRICS_PORT": "0"}
    return {**environ, **own}
