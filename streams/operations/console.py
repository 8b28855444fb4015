"""What commands print: progress and logs on standard error, results on standard output, `--json` as its last line."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

#: For people: everything that is not the result.
console = Console(stderr=True, highlight=False)

JsonFlag = Annotated[bool, typer.Option("--json", help="print one JSON object as the last line")]


def print_json(value: object) -> None:
    """Print one JSON object as a line of standard output."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def print_error(message: str) -> None:
    """Print what went wrong, in the form every command uses."""
    sys.stderr.write(f"headrace: {message}\n")


class _RateColumn(ProgressColumn):
    """How many a second, of late."""

    def render(self, task: Task) -> Text:
        """Nothing before there is a rate."""
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.{0 if speed >= 10 else 1}f}/s", style="progress.data.speed")


def progress(*, shown: bool = True) -> Progress:
    """A progress bar with count, rate and time left, on standard error."""
    return Progress(
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
        console=console,
        disable=not shown,
    )


@contextmanager
def reporting(description: str) -> Generator[Callable[[int, int], None]]:
    """Show a job's progress bar; the job calls what it is given with (done, total), 0 for unknown."""
    with progress() as bar:
        task = bar.add_task(description, total=None, note="")
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
