"""`headrace worker`: Faust workers on this host."""

import os
import sys
from typing import Annotated

import typer

Processes = Annotated[
    int | None,
    typer.Option(
        min=1,
        max=256,
        help="workers on this host, each a process that is started again if it fails; 1 for one in this process",
        show_default="one a core",
    ),
]
Supervised = Annotated[
    bool, typer.Option("--supervised", hidden=True, help="end when the standard input does: with whoever started this")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)


def worker(processes: Processes = None, supervised: Supervised = False) -> None:
    """Run a worker a core. With `--processes 1` it is this process, the same as `faust -A streams.app worker`.

    Ctrl-C or SIGTERM drains and commits.
    """
    if supervised:
        from streams.operations.supervised import end_with_starter

        end_with_starter()
    count = processes or cores()
    if count == 1:
        from streams.app import run_worker

        run_worker()
    sys.exit(_supervise(count))


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _supervise(processes: int) -> int:
    from headrace.settings.model import settings
    from streams.kafka.admin.membership import take_out
    from streams.operations import logs
    from streams.operations.supervisor import Supervisor, worker_slots

    mine = settings()
    logs.set_up(mine.log, logs.level_number(mine.log_level))
    return Supervisor(worker_slots(processes, mine.metrics_from, lambda pid: take_out(mine, pid))).run()
