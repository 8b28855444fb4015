"""A recording replayed through workers and servers that are killed and frozen, one after the other."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from os import kill
from pathlib import Path
from typing import Final, TypeVar

import psutil

from benchmarks.chaos.faults import Fault, FaultKind
from benchmarks.chaos.servers import Servers
from benchmarks.chaos.traces import Traces, collect
from headrace.errors import StackError, UsageError
from headrace.recording.reading import read_recording
from headrace.settings.model import Settings
from headrace.topics import ANSWERS, INPUTS, Topic, internal_topics
from streams.kafka.admin.broker import Broker
from streams.kafka.admin.copartition import prepare
from streams.recordings.traffic.replaying import Replayer
from streams.recordings.traffic.waiting import await_answers
from streams.testing import Client, Stack, Worker
from streams.testing.crash_points import command
from streams.testing.stack import fresh_group

OnProgress = Callable[[str], None]
T = TypeVar("T")

_POLL_S: Final = 0.3
_PATIENCE_S: Final = 120.0


class FaultInjector:
    """One recording, replayed once undisturbed and as often as one likes under faults.

    Args:
        recording: file of the recorded stream.
        folder: for the workers' logs.
        variables: of the workers, on top of the stack's.
        servers: those of the stack, where they may be struck.
    """

    def __init__(
        self,
        stack: Stack,
        recording: Path,
        folder: Path,
        variables: Mapping[str, str],
        on_progress: OnProgress,
        servers: Servers | None = None,
    ) -> None:
        self._stack, self._recording, self._folder, self._servers = stack, recording, folder, servers
        self._variables = {"HEADRACE_TRENDING": "off", **variables}
        self._on_progress = on_progress
        self._workers = 0
        self.kills: Counter[str] = Counter()
        """Blows that counted: something was said or committed since the one before, and something is left."""

    def run_undisturbed(self) -> Traces:
        """Replay through one worker that nothing happens to."""
        return self._replay(lambda _group: None)

    def run_with_faults(self, faults: Iterator[Fault]) -> Traces:
        """Replay through workers that are struck until the recording is done."""
        return self._replay(lambda group: self._inject_all(group, faults))

    def _replay(self, before_the_last: Callable[["_Group"], None]) -> Traces:
        settings = self._stack.settings(fresh_group(self._stack))
        prepare(settings)
        with Client(settings, (*ANSWERS, Topic.DEAD_LETTERS)) as client, Broker(settings.kafka_connection) as broker:
            # Before anything is struck: a producer that has to try again would make another recording of it.
            with Replayer(settings) as replayer:
                sent = replayer.send(read_recording(self._recording))
            before_the_last(_Group(settings, broker))
            last = self._worker(settings)
            try:
                with Replayer(settings) as replayer:
                    await_answers(broker, replayer, sent, settings)
            finally:
                status = last.stop()
            if status != 0:
                raise StackError(f"the last worker ended with status {status}\n{last.log_tail()}")
            return collect(client)

    def _inject_all(self, group: "_Group", faults: Iterator[Fault]) -> None:
        outputs, (done, _) = group.outputs(), group.progress()
        for fault in faults:
            self._inject(group, fault)
            before, (done, left) = (outputs, done), group.progress()
            outputs = group.outputs()
            self._on_progress(f"{fault}: {outputs - before[0]} emitted, {done - before[1]} committed, {left} left")
            if not left:
                return
            if (outputs, done) != before:
                self.kills[str(fault)] += 1

    def _inject(self, group: "_Group", fault: Fault) -> None:
        """Run a worker until it is struck, or has done everything."""
        worker = self._worker(group.settings, fault)
        try:
            if fault.server:
                self._inject_server_fault(group, fault, worker)
            elif fault.kind is FaultKind.BESIDE:
                self._kill_one_of_two(group, fault, worker)
            elif fault.kind is FaultKind.MOMENT:
                time.sleep(fault.seconds)
            else:
                _await(lambda: _is_faulted(worker) or not group.progress()[1])
            if fault.kind is FaultKind.FREEZE and _is_faulted(worker):
                self._wake_after_takeover(group, worker)
        finally:
            worker.kill()

    def _kill_one_of_two(self, group: "_Group", fault: Fault, worker: Worker) -> None:
        """Give a worker company, which halves its partitions, and kill it: the other is to take them all."""
        other = self._worker(group.settings)
        try:
            group.await_commit()
            time.sleep(fault.seconds)
            worker.kill()
            group.await_commit()
        finally:
            other.kill()

    def _inject_server_fault(self, group: "_Group", fault: Fault, worker: Worker) -> None:
        """Take a server away while a worker works, and let the worker, if it lives, go on once it is back."""
        if self._servers is None:
            raise UsageError("faults of servers need a stack of their own; unset the addresses of yours")
        group.await_commit()
        faulted = self._servers.stopped if fault.kind is FaultKind.STOPPED else self._servers.killed
        with faulted(fault.server):
            if fault.kind is FaultKind.TOGETHER:
                worker.kill()
            time.sleep(fault.seconds)
        if worker.running:
            group.await_commit()

    def _wake_after_takeover(self, group: "_Group", frozen: Worker) -> None:
        """Let a successor take a frozen worker's partitions and go on, then wake it in the middle of its write."""
        successor = self._worker(group.settings)
        try:
            group.await_commit()
            kill(frozen.pid, signal.SIGCONT)
            group.await_commit()
        finally:
            successor.kill()

    def _worker(self, settings: Settings, fault: Fault | None = None) -> Worker:
        self._workers += 1
        log = self._folder / f"worker-{self._workers}.log"
        variables = {**self._stack.environment(settings.group), **self._variables}
        if fault is None or not fault.step:
            return Worker(variables, log)
        faulted = command(fault.step, fault.passes, freeze=fault.kind is FaultKind.FREEZE)
        return Worker(variables, log, command=faulted)


def _is_faulted(worker: Worker) -> bool:
    return not worker.running or psutil.Process(worker.pid).status() == psutil.STATUS_STOPPED


def _await(holds: Callable[[], bool], seconds: float = _PATIENCE_S) -> None:
    """Wait until it holds, or time is up: what counts is judged at the end."""
    deadline = time.monotonic() + seconds
    while not holds() and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _retry(ask: Callable[[], T]) -> T:
    """Ask Kafka, which may have just come back."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return ask()
        except StackError:
            if time.monotonic() > deadline:
                raise
        time.sleep(_POLL_S)


class _Group:
    """How far a group is."""

    def __init__(self, settings: Settings, broker: Broker) -> None:
        self.settings = settings
        self._broker = broker
        own = internal_topics(settings.group, settings.partitions, settings.replication)
        self._topics = [*sorted(INPUTS), *(spec.name for spec in own)]

    def progress(self) -> tuple[int, int]:
        """Records committed of all that it reads, and those left."""
        ends, committed = _retry(lambda: (self._broker.ends(self._topics), self._broker.committed(self.settings.group)))
        done = {place: committed.get(place, 0) for place in ends}
        return sum(done.values()), sum(max(end - done[place], 0) for place, end in ends.items())

    def outputs(self) -> int:
        """Records on the output topics."""
        return sum(_retry(lambda: self._broker.ends(ANSWERS)).values())

    def await_commit(self) -> None:
        """Wait until somebody commits more, or nothing is left."""
        before, _ = self.progress()
        _await(lambda: self.progress()[0] > before or not self.progress()[1])
