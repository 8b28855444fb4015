"""Detached server processes: started, found again by a record on disk, stopped.

A process is known by its number and its whole command line. The command line names files of one
`HEADRACE_HOME`, so a number that now belongs to another program is never mistaken for ours.
"""

import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
import psutil
from msgspec import Struct

from headrace.files.atomic import write_atomic
from infra.local.server import Launch, Server

#: The shell leaves the server to init: it outlives the command that started it, and is nobody's zombie.
_DETACH = 'log=$1; shift; "$@" >"$log" 2>&1 </dev/null & echo $!'
_EXEC_S = 5.0
_CHILDREN_S = 2.0
_KILLED_S = 5.0


class Record(Struct, frozen=True):
    """What is written down about a started server."""

    pid: int
    command: list[str]
    ports: list[int]

    def process(self) -> psutil.Process | None:
        """The process while it runs, and only if it is the one that was started."""
        try:
            process = psutil.Process(self.pid)
            return process if _alive(process) and process.cmdline() == self.command else None
        except psutil.NoSuchProcess:
            return None


def read_record(path: Path) -> Record | None:
    """The record at `path`, or None where nothing was started."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except (FileNotFoundError, msgspec.DecodeError):  # cut short by a crash: as good as none
        return None


def start(launch: Launch, server: Server) -> Record:
    """Start `server` in a session of its own and write its record.

    The log of the run before is kept beside the new one, as `<name>.log.1`.
    """
    for folder in (server.log.parent, server.record.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if server.log.exists():
        server.log.replace(server.log.with_suffix(".log.1"))
    shell = ["/bin/sh", "-c", _DETACH, "sh", str(server.log), *launch.command]
    done = subprocess.run(
        shell, env=dict(launch.environment), start_new_session=True, stdout=subprocess.PIPE, check=True
    )
    record = Record(int(done.stdout), list(launch.command), list(server.ports))
    write_atomic(server.record, msgspec.json.encode(record))
    _await_exec(record)
    return record


def _await_exec(started: Record) -> None:
    """Until the forked shell has become the server, its command line is still the shell's."""
    with suppress(psutil.NoSuchProcess):  # it has ended already: its log says why
        process = psutil.Process(started.pid)
        deadline = time.monotonic() + _EXEC_S
        while _alive(process) and started.process() is None and time.monotonic() < deadline:
            time.sleep(0.005)


def stop(processes: Sequence[psutil.Process], patience_s: float) -> None:
    """End the processes with SIGTERM, and after `patience_s` what is left, children too, with SIGKILL."""
    everyone = [p for process in processes for p in (process, *_children(process))]
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    alive = _await_end(processes, patience_s)
    # Children of a server that has ended in good order end by themselves, a moment later.
    alive = _await_end(everyone, 0 if alive else _CHILDREN_S)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    _await_end(alive, _KILLED_S)


def _await_end(processes: Sequence[psutil.Process], timeout_s: float) -> list[psutil.Process]:
    """Wait for the processes to end; return those that have not by then."""
    deadline = time.monotonic() + timeout_s
    while (alive := [process for process in processes if _alive(process)]) and time.monotonic() < deadline:
        time.sleep(0.02)
    return alive


def _alive(process: psutil.Process) -> bool:
    try:
        # Where init does not reap (a container without one), the ended stay zombies for good.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []
