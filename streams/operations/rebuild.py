"""`headrace rebuild`: the topics refolded into a group of its own, behind another's back, until it holds as much."""

import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from os import environ
from pathlib import Path
from types import FrameType
from typing import Final

from msgspec import Struct

from headrace.errors import CheckFailed, StreamError, UsageError
from headrace.settings.model import Settings
from headrace.topics import Topic, item_updates, rekeyed
from streams.kafka.admin.broker import Broker, Offsets
from streams.kafka.admin.copartition import prepare
from streams.kafka.admin.group_check import check_prefix
from streams.operations.supervised import start_supervised
from streams.operations.supervisor import worker_command
from streams.recordings import OnProgress, no_progress
from streams.recordings.traffic.waiting import PATIENCE_S, lag

_POLL_S: Final = 1.0
_DRAIN_S: Final = 60.0


class Rebuilt(Struct, frozen=True):
    """A group that holds what another holds: records it has folded, in how many seconds."""

    group: str
    rebuild_of: str
    records: int
    seconds: float


def rebuild(old: Settings, group: str, processes: int, on_progress: OnProgress = no_progress) -> Rebuilt:
    """Fold everything that is still on the topics into a new group, whose workers end when it has caught up.

    Args:
        old: of the group whose workers answer meanwhile.
        group: the new one; one that was begun before goes on.
        on_progress: called with how many records are folded, and of how many.

    Raises:
        UsageError: it is the same group, one with workers, or the other has answered nothing yet.
        StreamError: the topics are not what the other group has read.
        CheckFailed: its workers ended, or folded nothing for two minutes.
    """
    new = old.model_copy(update={"group": group, "rebuild_of": old.group})
    began = time.monotonic()
    with Broker(old.kafka_connection) as broker:
        _refuse(broker, old.group, group)
        check_prefix(new, broker.names())
        prepare(new)
        watch = _Watch(broker, old.group, new, on_progress)
        with _workers(new, processes) as (worker, log):
            while not watch.has_caught_up():
                if worker.poll() is not None:
                    raise CheckFailed(f"the workers of {group} ended with status {worker.returncode}: see {log}")
                time.sleep(_POLL_S)
        _pass_over_requests(broker, old.group, group)
        return Rebuilt(group, old.group, watch.folded, round(time.monotonic() - began, 1))


class _Watch:
    """Holds what a group has committed against what another had a moment ago."""

    def __init__(self, broker: Broker, old: str, new: Settings, on_progress: OnProgress) -> None:
        self._broker, self._old, self._new, self._on_progress = broker, old, new, on_progress
        self._inputs = broker.partitions([Topic.EVENTS, Topic.ITEMS])
        self._own = [rekeyed(new.group), item_updates(new.group)]
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
        self._on_progress(total - left, total)
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


def _refuse(broker: Broker, old: str, new: str) -> None:
    if new == old:
        raise UsageError(f"{new} is the group that answers now (HEADRACE_GROUP): name another for what is rebuilt.")
    if broker.members(new):
        raise UsageError(f"{new} has workers already: stop them, or name another group.")
    done = {place: offset for place, offset in broker.committed(old).items() if place.topic == Topic.EVENTS}
    if not done:
        raise UsageError(f"{old} has answered nothing yet (HEADRACE_GROUP): there is nothing to rebuild.")
    ends = broker.ends([Topic.EVENTS])
    if lost := [place for place, offset in done.items() if offset > ends.get(place, 0)]:
        raise StreamError(
            f"{old} has read further than {lost[0].topic}/{lost[0].partition} goes: the topic was recreated, or has "
            "lost data. Start workers of a new group instead, with HEADRACE_ANSWER_AGAIN=on and without "
            "HEADRACE_REBUILD_OF."
        )


def _pass_over_requests(broker: Broker, old: str, new: str) -> None:
    """Score requests leave nothing behind: the new group begins where the old one is."""
    done = broker.committed(old)
    broker.start_group_at(new, {p: at for p, at in done.items() if p.topic == Topic.SCORE_REQUESTS})


@contextmanager
def _workers(new: Settings, processes: int) -> Generator[tuple["subprocess.Popen[bytes]", Path]]:
    """Workers of the new group, drained at the end."""
    log = new.home.absolute() / "logs" / f"rebuild-{new.group}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        worker = start_supervised(worker_command(processes), _variables(new), output=output)
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        yield worker, log
    finally:
        signal.signal(signal.SIGTERM, before)
        worker.terminate()
        try:
            worker.wait(_DRAIN_S)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()


def _leave(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)  # as an exception, so that the workers are drained


def _variables(new: Settings) -> Mapping[str, str]:
    """The metrics port stays with the workers that answer."""
    return {
        **environ,
        "HEADRACE_GROUP": new.group,
        "HEADRACE_REBUILD_OF": str(new.rebuild_of),
        "HEADRACE_CATCHING_UP": "on",
        "HEADRACE_METRICS_PORT": "0",
    }
