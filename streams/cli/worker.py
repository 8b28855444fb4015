"""`headrace worker`: one Faust worker in this process."""

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(worker)


def worker() -> None:
    """Run one worker; the same as `faust -A streams.app worker`. Ctrl-C or SIGTERM drains and commits."""
    from streams.app import run_worker

    run_worker()
