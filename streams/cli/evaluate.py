"""`headrace evaluate …`: train on one part of a data set, score the other once, print the figures."""

from pathlib import Path
from typing import Annotated

import typer

from streams.cli.models import Device, Seed, Stages
from streams.cli.output import JsonFlag, print_json, progress

Sequences = Annotated[Path, typer.Option("--sequences", help="`user item item …` a line, in time order")]
Attributes = Annotated[
    Path | None, typer.Option("--attributes", help='what is known of the items: JSON {"item": [attribute, …]}')
]

evaluations = typer.Typer(no_args_is_help=True, help="Train on one part of a data set, score the rest once.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(evaluations, name="evaluate")


@evaluations.command("next-item")
def next_item(
    sequences: Sequences,
    attributes: Attributes = None,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: JsonFlag = False,
) -> None:
    """Train on `user item item …` lines and rank every item for each user's last one, the history excluded."""
    from trainer.practice.device import pick_device
    from trainer.sequences.evaluate import evaluate_next_item
    from trainer.sequences.report import tell_report

    with progress() as bar:
        report = evaluate_next_item(sequences, attributes, seed=seed, device=pick_device(device), tell=Stages(bar))
    if as_json:
        print_json(report)
    else:
        tell_report(report)
