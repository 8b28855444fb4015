"""What supervises workers may be killed: they end in good order all the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from headrace_cli.stack import worker as command
from streams import app
from streams.operations import supervised

# A worker that drains: it writes down that it was asked to, and ends.
WORKER = """
import os, signal, sys, time
from pathlib import Path
from streams.operations.supervised import OPTION, end_with_starter
folder = Path({folder!r})
assert OPTION in sys.argv
def drain(*_):
    (folder / f"{{os.getpid()}}.drained").touch()
    sys.exit(0)
if {drains}:
    signal.signal(signal.SIGTERM, drain)
else:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
end_with_starter(drain_s=0.1)
(folder / f"{{os.getpid()}}.started").touch()
while True:
    time.sleep(0.05)
"""
SUPERVISOR = """
import sys
from streams.operations import supervisor
supervisor.COMMAND = (sys.executable, "-c", {worker!r})
supervisor.Supervisor(supervisor.worker_slots(2, 0, lambda _: None)).run()
"""


def names(folder: Path, kind: str) -> set[int]:
    return {int(path.stem) for path in folder.glob(f"*.{kind}")}


def eventually(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("drains", [True, False])
def test_workers_end_with_a_supervisor_that_is_killed(tmp_path: Path, drains: bool):
    program = SUPERVISOR.format(worker=WORKER.format(folder=str(tmp_path), drains=drains))
    with subprocess.Popen([sys.executable, "-c", program]) as killed:
        try:
            eventually(lambda: len(names(tmp_path, "started")) == 2)
        finally:
            killed.kill()
    workers = names(tmp_path, "started")
    try:
        eventually(lambda: not any(map(lives, workers)))
    finally:
        for pid in filter(lives, workers):
            os.kill(pid, signal.SIGKILL)
    assert names(tmp_path, "drained") == (workers if drains else set())


def test_the_command_watches_whoever_started_it_only_where_it_is_told_to(monkeypatch: pytest.MonkeyPatch):
    done: list[str] = []
    monkeypatch.setattr(supervised, "end_with_starter", lambda: done.append("watches"))
    monkeypatch.setattr(app, "run_worker", lambda: done.append("runs") or sys.exit(0))
    for reported in (True, False):
        with pytest.raises(SystemExit):
            command.worker(processes=1, supervised=reported)
    assert done == ["watches", "runs", "runs"]
