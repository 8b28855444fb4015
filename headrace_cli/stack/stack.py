"""`headrace up` and `down`: the local Kafka, Valkey and Triton."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

import typer

from headrace.settings.model import settings
from streams.operations.console import JsonFlag, console, print_json


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(up)
    app.command()(down)


def up(as_json: JsonFlag = False) -> None:
    """Start the local servers that do not run yet, wait until they answer, create the topics."""
    from infra.local import stack

    with _progress() as on_progress:
        addresses = stack.up(settings(), on_progress)
    if as_json:
        print_json(addresses._asdict())
        return
    for name, address in addresses._asdict().items():
        typer.echo(f"{name:<7} {address}")


def down(as_json: JsonFlag = False) -> None:
    """Stop the servers that `up` started; their data stay."""
    from infra.local import stack

    with _progress() as on_progress:
        stopped = stack.down(settings(), on_progress)
    if as_json:
        print_json({"stopped": stopped})
        return
    typer.echo(f"stopped {' and '.join(stopped)}" if stopped else "nothing was running")


@contextmanager
def _progress() -> Generator[Callable[[str], None]]:
    """A spinner on a terminal; elsewhere, such as in a CI log, one line for each step."""
    if not console.is_terminal:
        yield lambda message: console.print(message, soft_wrap=True)
        return
    with console.status("") as spinner:
        yield spinner.update
