"""`headrace worker`: Faust workers on this host."""

import sys
from typing import Annotated

import typer

Processes = Annotated[
    int, typer.Option(min=1, max=256, help="workers on this host, each a process that is started again if it fails")
]
Apart = Annotated[
    bool,
    typer.Option("--apart", help="two processes a worker, one a pipeline: shoppers never wait for items"),
]
Supervised = Annotated[
    bool, typer.Option("--supervised", hidden=True, help="end when the standard input does: with whoever started this")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)


def worker(processes: Processes = 1, apart: Apart = False, supervised: Supervised = False) -> None:
    """Run a worker, the same as `faust -A streams.app worker`, or several. Ctrl-C or SIGTERM drains and commits."""
    if supervised:
        from streams.operations.supervised import end_with_starter

        end_with_starter()
    if processes == 1 and not apart:
        from streams.app import run_worker

        run_worker()
    sys.exit(_supervise(processes, apart))


def _supervise(processes: int, apart: bool) -> int:
    from headrace.settings.model import PipelineChoice, settings
    from streams.kafka.admin.membership import take_out
    from streams.operations import logs
    from streams.operations.supervisor import Supervisor, worker_slots

    mine = settings()
    logs.set_up(mine.log, logs.level_number(mine.log_level))
    pipelines = [PipelineChoice.SHOPPERS, PipelineChoice.ITEMS] if apart else [mine.pipeline]
    return Supervisor(worker_slots(pipelines * processes, mine.metrics_from, lambda pid: take_out(mine, pid))).run()
