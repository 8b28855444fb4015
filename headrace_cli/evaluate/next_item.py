"""`headrace evaluate next-item`: leave one out on a file of sequences."""

from pathlib import Path
from typing import Annotated

import typer

from headrace_cli.evaluate.group import evaluations
from headrace_cli.models.models import Device, Seed
from headrace_cli.shell.arguments import readable_file
from streams.operations.console import JsonFlag, print_json, progress
from trainer.progress import Stages

Sequences = Annotated[
    Path, typer.Option("--sequences", callback=readable_file, help="`user item item …` a line, in time order")
]
Attributes = Annotated[
    Path | None,
    typer.Option(
        "--attributes", callback=readable_file, help='what is known of the items: JSON {"item": [attribute, …]}'
    ),
]


def register(_: typer.Typer) -> None:
    """Add the command to its group."""
    evaluations.command("next-item")(evaluate_next_item)


def evaluate_next_item(
    sequences: Sequences,
    attributes: Attributes = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Train on `user item item …` lines and rank every item for each user's last one, the history excluded."""
    from trainer.sequences.evaluate import evaluate_next_item as evaluate
    from trainer.sequences.next_item_report import print_report
    from trainer.training_loop.device import pick_device

    with progress() as bar:
        report = evaluate(sequences, attributes, seed=seed, device=pick_device(device), on_progress=Stages(bar))
    if as_json:
        print_json(report)
    else:
        print_report(report)
