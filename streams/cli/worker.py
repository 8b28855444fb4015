"""`headrace worker`: Faust workers on this host."""

import sys
from typing import Annotated

import typer

Processes = Annotated[
    int, typer.Option(min=1, max=256, help="workers on this host, each a process that is started again if it fails")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)


def worker(processes: Processes = 1) -> None:
    """Run a worker, the same as `faust -A streams.app worker`, or several. Ctrl-C or SIGTERM drains and commits."""
    if processes == 1:
        from streams.app import run_worker

        run_worker()
    sys.exit(_supervise(processes))


def _supervise(processes: int) -> int:
    from streams import logs
    from streams.membership import take_out
    from streams.settings import settings
    from streams.supervisor import Supervisor, places

    mine = settings()
    logs.set_up(mine.log, logs.number(mine.log_level))
    return Supervisor(places(processes, mine.metrics_port, lambda pid: take_out(mine, pid))).run()
