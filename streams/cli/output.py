"""How commands speak: progress and logs on standard error, results on standard output, `--json` as its last line."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

#: For people: everything that is not the result.
console = Console(stderr=True, highlight=False)

JsonFlag = Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")]


def print_json(value: object) -> None:
    """Print one JSON object as a line of standard output."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def complain(message: str) -> None:
    """Tell the user what went wrong, in the form every command uses."""
    sys.stderr.write(f"headrace: {message}\n")


def progress() -> Progress:
    """A progress bar with count, rate of filling and time left, on standard error."""
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
    )


@contextmanager
def reporting(description: str) -> Generator[Callable[[int, int], None]]:
    """Show a job's progress bar, with its rate; the job calls what it is given with (done, total), 0 for unknown."""
    with progress() as bar:
        task = bar.add_task(description, total=None, note="")
        started = time.monotonic()

        def report(done: int, total: int) -> None:
            rate = done / max(time.monotonic() - started, 1e-3)
            bar.update(task, completed=done, total=total or None, note=f"{rate:,.0f}/s")

        yield report
