"""How many workers `headrace worker` starts, and where."""

import os

import pytest
import typer
from typer.testing import CliRunner

from headrace_cli.stack import worker
from streams import app
from streams.operations.supervisor import COMMAND, worker_command


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch):
    """Runs the command with options, and tells what it started: a number of processes, or a worker in this one."""
    found: list[int | str] = []

    def supervise(processes: int) -> int:
        found.append(processes)
        return 0

    def run_worker() -> None:
        found.append("here")
        raise SystemExit(0)

    monkeypatch.setattr(worker, "_supervise", supervise)
    monkeypatch.setattr(app, "run_worker", run_worker)

    def run(*options: str) -> int | str:
        commands = typer.Typer()
        worker.register(commands)
        done = CliRunner().invoke(commands, list(options))
        assert done.exit_code == 0, done.output
        return found.pop()

    return run


def test_without_options_it_is_one_process_a_core(started, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    assert started() == 3


def test_on_a_single_core_it_is_this_process(started, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert started() == "here"


def test_as_many_as_are_asked_for_and_one_is_this_process(started):
    assert started("--processes", "4") == 4
    assert started("--processes", "1") == "here"


def test_what_a_supervisor_starts_supervises_none():
    assert worker_command(1) == COMMAND
    assert COMMAND[-2:] == ("--processes", "1")
