"""`headrace evaluate reasons`: whether the reasons of a trained model's lists are true."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from headrace_cli.evaluate.group import evaluations
from headrace_cli.models.models import Stream
from headrace_cli.shell.arguments import LARGEST_SEED, readable_folder
from streams.operations.console import JsonFlag, print_json, progress
from trainer.progress import Stages

Model = Annotated[Path, typer.Option("--model", callback=readable_folder, help="a folder that `headrace train` wrote")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=LARGEST_SEED, help="of the other events that are drawn by lot")]
_ROWS = {
    "beats_random": "entries that fall further without the first reason's event than without another, drawn by lot",
    "beats_newest": "entries that fall further without it than without the newest event, where that is another",
    "same_category": "first reasons of the entry's category, or that do more for it than any event of its category",
    "duplicates": "entries that name one item twice",
    "negative": "reasons without whose event the entry would not fall",
    "first_newest": "first reasons that are the shopper's newest event",
}


def register(_: typer.Typer) -> None:
    """Add the command to its group."""
    evaluations.command("reasons")(evaluate_reasons)


def evaluate_reasons(model: Model, stream: Stream, seed: Seed = 0, as_json: JsonFlag = False) -> None:
    """Take each event out of the histories of a stream's last tenth, and hold the reasons against what that does."""
    from trainer.evaluation.faithfulness import measure_reasons

    with progress() as bar:
        found = measure_reasons(stream, model, seed, Stages(bar))
    if as_json:
        print_json(found)
        return
    table = Table(title=f"{found.entries} entries of lists at {found.moments} moments, {found.reasons} reasons")
    table.add_column("share", justify="right")
    table.add_column("of")
    for name, meaning in _ROWS.items():
        share = getattr(found, name)
        table.add_row("-" if share is None else f"{share:.1%}", meaning)
    Console().print(table)
