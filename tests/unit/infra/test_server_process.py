"""A server process is found again only if it is the one that was started, and ends with its children."""

import os
import signal
import time
from pathlib import Path
from typing import ClassVar

import psutil
import pytest

from infra.local.process import Record, read_record, start, stop
from infra.local.server import Launch, OnProgress, Server


class Shell(Server):
    """A server whose program each test writes."""

    key = "shell"
    title = "Shell"
    variable = "HEADRACE_SHELL"
    packages: ClassVar = ()

    def prepare(self, on_progress: OnProgress) -> Launch:
        raise NotImplementedError

    def ready(self) -> bool:
        raise NotImplementedError


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Shell(tmp_path, (1,))


def run(server: Server, *command: str) -> psutil.Process:
    process = start(Launch(command, os.environ), server).process()
    assert process is not None
    return process


def gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_a_started_server_is_found_by_its_record_and_has_a_session_of_its_own(server: Server) -> None:
    process = run(server, "sleep", "60")
    record = read_record(server.record)
    assert record == Record(process.pid, ["sleep", "60"], [1])
    assert os.getsid(process.pid) != os.getsid(0)
    assert process.ppid() != os.getpid()
    stop([process], 5)


def test_another_process_under_the_same_number_is_not_the_server(server: Server) -> None:
    assert Record(os.getpid(), ["sleep", "60"], [1]).process() is None


def test_a_record_cut_short_is_as_good_as_none(server: Server) -> None:
    server.record.parent.mkdir()
    server.record.write_text('{"pid": 1')
    assert read_record(server.record) is None


def test_output_goes_to_the_log_and_the_log_before_is_kept(server: Server) -> None:
    for word in ("first", "second"):
        process = run(server, "/bin/sh", "-c", f"echo {word}; while :; do sleep 0.1; done")
        while not server.log.read_text():
            time.sleep(0.01)
        stop([process], 5)
    assert server.log.read_text() == "second\n"
    assert server.log.with_suffix(".log.1").read_text() == "first\n"


def test_a_server_that_ignores_sigterm_is_killed_with_its_children(server: Server) -> None:
    process = run(server, "/bin/sh", "-c", "trap '' TERM; while :; do sleep 60; done")
    while not (children := process.children()):
        time.sleep(0.01)
    stop([process], 0.1)
    assert gone(process)
    assert all(gone(child) for child in children)


def test_a_server_that_has_ended_already_is_stopped(server: Server) -> None:
    process = run(server, "sleep", "60")
    process.send_signal(signal.SIGKILL)
    psutil.wait_procs([process], timeout=5)
    stop([process], 5)
    assert read_record(server.record).process() is None
