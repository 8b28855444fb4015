"""Several workers on one host, kept alive: whichever ends or stands still is started again."""

import logging
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from os import environ
from threading import Thread
from types import FrameType
from typing import Final

from headrace.errors import UsageError
from streams.operations.probes import PID_HEADER, PORTS_TO_TRY
from streams.operations.supervised import start_supervised

log = logging.getLogger(__name__)


def worker_command(processes: int = 1) -> tuple[str, ...]:
    """What starts so many workers; one is the process that is started."""
    return (sys.executable, "-m", "headrace_cli", "worker", "--processes", str(processes))


COMMAND: Final = worker_command()
_TURN_S: Final = 0.2
_PROBE_S: Final = 5.0
_LONG_LIFE_S: Final = 60.0
"""Whoever lived so long has not failed at its start: the next start comes without delay."""
_LONGEST_DELAY_S: Final = 30.0
_DRAIN_S: Final = 30.0

Probe = Callable[[int], str]
OnKilled = Callable[[int], None]


class WorkerSlot:
    """One of the workers: its present process, and when its next one may start.

    Args:
        start: starts a process.
        probe: asks the process with this id why it should be ended; "" while it should not.
        on_killed: cleans up what a process with this id has left behind that did not end in good order.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        start: Callable[[], "subprocess.Popen[bytes]"],
        probe: Probe,
        clock: Callable[[], float],
        on_killed: OnKilled = lambda _: None,
    ) -> None:
        self._start, self._probe, self._clock, self._on_killed = start, probe, clock, on_killed
        self._failures = 0
        self._due = clock()
        self._started = self._probed = clock()
        self._dead_since: float | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def check(self) -> int | None:
        """Start the process if it is due, end it if it is dead; the status of one that has ended by itself."""
        now = self._clock()
        if self._process is None:
            if now >= self._due:
                self._process = self._start()
                self._started = self._probed = now
                self._dead_since = None
            return None
        status = self._process.poll()
        if status is not None:
            if status < 0:  # by a signal: it had no time to leave its group
                Thread(target=self._on_killed, args=(self._process.pid,), daemon=True).start()
            self._process = None
            self._failures = 1 if now - self._started > _LONG_LIFE_S else self._failures + 1
            self._due = now + min(2.0 ** min(self._failures - 1, 10) - 1, _LONGEST_DELAY_S)
            return status
        if now - self._probed > _PROBE_S:
            self._probed = now
            self._end_if_dead(self._process, now)
        return None

    def terminate(self) -> None:
        """Ask it to drain, commit and end."""
        if self._process is not None:
            self._process.terminate()

    def wait(self, until: float) -> None:
        """Wait for its end, and bring it about when the time has come."""
        if self._process is None:
            return
        try:
            self._process.wait(max(until - self._clock(), 0))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _end_if_dead(self, process: "subprocess.Popen[bytes]", now: float) -> None:
        trouble = self._probe(process.pid)
        if not trouble:
            self._dead_since = None
        elif self._dead_since is None:
            self._dead_since = now  # it may be about to end by itself, in good order
        elif now - self._dead_since > _DRAIN_S:
            log.warning("worker %d killed: %s", process.pid, trouble)
            process.kill()


class Supervisor:
    """Keeps workers alive until it is told to stop.

    Args:
        places: the workers.
        turn_s: seconds between two looks.
    """

    def __init__(self, slots: Sequence[WorkerSlot], turn_s: float = _TURN_S) -> None:
        self._places, self._turn_s = slots, turn_s
        self._stopping = False

    def run(self) -> int:
        """Supervise until SIGTERM, SIGINT or SIGHUP, then drain all; the exit status.

        A worker that is set up wrongly (status 2) would be so again: everything ends, with its status.
        """
        status = 0
        with self._stop_on_signals():
            try:
                while not self._stopping and not status:
                    status = self._check_workers()
                    time.sleep(self._turn_s)
            finally:  # whatever ends this must not leave workers behind
                self._end_all()
        return status

    def _end_all(self) -> None:
        for place in self._places:
            place.terminate()
        until = time.monotonic() + _DRAIN_S
        for place in self._places:
            place.wait(until)

    def _check_workers(self) -> int:
        for number, place in enumerate(self._places):
            status = place.check()
            if status == UsageError.exit_code:
                return UsageError.exit_code
            if status is not None and not self._stopping:
                log.warning("worker %d of %d ended with status %d", number + 1, len(self._places), status)
        return 0

    @contextmanager
    def _stop_on_signals(self) -> Generator[None]:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stopping = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def worker_slots(processes: int, metrics_port: int, on_killed: OnKilled) -> list[WorkerSlot]:
    """The processes of a host, each with a metrics port of its own from `metrics_port` on; 0 gives them none."""
    found: list[WorkerSlot] = []
    for number in range(processes):
        port = metrics_port + number if metrics_port else 0
        variables = {**environ, "HEADRACE_METRICS_PORT": str(port)}
        found.append(WorkerSlot(_starter(variables), Prober(port) if port else _unprobed, time.monotonic, on_killed))
    return found


def _starter(variables: Mapping[str, str]) -> Callable[[], "subprocess.Popen[bytes]"]:
    # In a session of its own, or Ctrl-C would reach it twice: from the terminal and from here.
    return lambda: start_supervised(COMMAND, variables, new_session=True)


def _unprobed(_: int) -> str:
    return ""


class Prober:
    """Asks a worker how it does. It serves on the first of some ports that nobody else had, so whoever answers has to
    say that it is the one: another program says that all is well, or is not, of itself.

    Args:
        first: the port that the worker was told to take.
    """

    def __init__(self, first: int) -> None:
        self._ports = range(first, first + PORTS_TO_TRY)
        self._found = first

    def __call__(self, pid: int) -> str:
        """Why the process with this id should be ended; "" while it should not."""
        for port in dict.fromkeys((self._found, *self._ports)):
            answer = _probe_of(pid, port)
            if answer is not None:
                self._found = port
                return answer
        return ""  # not up yet, or busy: that its loop stands still it says itself


def _probe_of(pid: int, port: int) -> str | None:
    """What a process says of itself on a port; None where it is not the one that answers there."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/livez")
        answer = connection.getresponse()
        if answer.headers.get(PID_HEADER) != str(pid):
            return None
        return "" if answer.status == HTTPStatus.OK else f"/livez answers {answer.status}"
    except (OSError, HTTPException):
        return None
    finally:
        connection.close()
