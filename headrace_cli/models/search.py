"""`headrace search`: settings of the behaviour model, chosen on validation data."""

from pathlib import Path
from typing import Annotated

import typer

from headrace_cli.models.models import Device, Seed, Stream, TextEncoder
from headrace_cli.shell.arguments import new_file_and_folders
from streams.operations.console import JsonFlag, print_json, progress
from trainer.progress import Stages

Study = Annotated[
    Path,
    typer.Option("--study", callback=new_file_and_folders, help="SQLite file of the study; an interrupted one goes on"),
]
Trials = Annotated[int, typer.Option("--trials", min=1, help="finished trials that the study shall have in the end")]
Epochs = Annotated[int | None, typer.Option("--epochs", min=1, help="at most, of a trial; default: as in training")]
Out = Annotated[
    Path | None,
    typer.Option(
        "--out",
        callback=new_file_and_folders,
        help="JSON file for the best settings; default: the study's name with .json",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(search)


def search(
    stream: Stream,
    study: Study,
    trials: Trials = 20,
    out: Out = None,
    epochs: Epochs = None,
    device: Device = "auto",
    seed: Seed = 0,
    text_encoder: TextEncoder = None,
    as_json: JsonFlag = False,
) -> None:
    """Search settings of the behaviour model for a stream; `headrace train --settings` takes what it writes."""
    from trainer.tracking.search import search_settings

    target = out or study.with_suffix(".json")
    with progress() as bar:
        best = search_settings(
            stream,
            study,
            target,
            trials=trials,
            on_progress=Stages(bar),
            device=device,
            seed=seed,
            text_encoder=text_encoder,
            epochs=epochs,
        )
    if as_json:
        print_json(best._asdict())
    else:
        typer.echo(f"{best.finished} trials, {best.pruned} of them given up early; best loss {best.loss:.4f}: {target}")
