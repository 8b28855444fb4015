"""`headrace evaluate lists`: whether a shop could print what the worker would answer."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from headrace.settings.model import settings
from headrace_cli.evaluate.group import evaluations
from headrace_cli.models.models import Stream
from headrace_cli.shell.arguments import readable_folder
from streams.operations.console import JsonFlag, print_json, progress
from trainer.progress import Stages

if TYPE_CHECKING:
    from trainer.evaluation.lists.quality import ListQuality

Model = Annotated[Path, typer.Option("--model", callback=readable_folder, help="a folder that `headrace train` wrote")]
Since = Annotated[datetime | None, typer.Option("--since", help="first day to measure on; default: the last tenth")]


def register(_: typer.Typer) -> None:
    """Add the command to its group."""
    evaluations.command("lists")(evaluate_lists)


def evaluate_lists(stream: Stream, model: Model, since: Since = None, as_json: JsonFlag = False) -> None:
    """Answer a stream's held-back events as a worker would: what should not be listed, and whether click rates hold.

    What the model was trained on flatters it: give a stream that goes on after that, and --since.
    """
    from trainer.evaluation.lists.quality import evaluate_lists as measure

    with progress() as bar:
        found = measure(stream, model, since, settings(), Stages(bar))
    if as_json:
        print_json(found)
    else:
        Console().print(_table(found))


def _table(found: "ListQuality") -> Table:
    title = f"{found.lists:,} lists from {found.since} on, {found.entries:,} entries"
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, share in (
        ("bought before by the same shopper", found.already_bought),
        ("not in the catalogue", found.unknown),
        ("there twice", found.repeated),
    ):
        table.add_row(name, f"{share:.2%}")
    for name, number in (
        ("first three, calibration error to the truth", found.ece_top3_truth),
        ("first three, mean click rate estimated", found.mean_rate_top3),
        ("first three, mean true click rate", found.mean_truth_top3),
        (f"first three, calibration error to clicks ({found.followed:,} shown next)", found.ece_top3_followed),
    ):
        table.add_row(name, "–" if number is None else f"{number:.4f}")
    return table
