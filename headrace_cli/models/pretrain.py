"""`headrace pretrain`: learn a shop's ways without labels, for another shop to start from."""

from pathlib import Path
from typing import Annotated

import typer

from headrace_cli.models.models import Device, Seed, SettingsFile, Stream, TextEncoder
from headrace_cli.shell.arguments import new_file_and_folders
from streams.operations.console import JsonFlag, console, print_json, progress
from trainer.progress import Stages

Out = Annotated[
    Path, typer.Option("--out", callback=new_file_and_folders, help="file to write, for `headrace train --pretrained`")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(pretrain)


def pretrain(
    stream: Stream,
    out: Out,
    device: Device = "auto",
    seed: Seed = 0,
    text_encoder: TextEncoder = None,
    settings_file: SettingsFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Pre-train the behaviour encoder on a recorded stream: next events and events whose item is hidden."""
    from trainer.behaviour.config import read_settings
    from trainer.pretrain.pretrain import pretrain as fit

    settings = read_settings(settings_file) if settings_file else None
    with progress() as bar:
        report = fit(
            stream, out, on_progress=Stages(bar), device=device, seed=seed, text_encoder=text_encoder, settings=settings
        )
    if as_json:
        print_json(report)
        return
    for name, loss in report.after.items():
        console.print(f"{name:<12} {report.before[name]:.4f} before, {loss:.4f} after")
    console.print(f"{report.events:,} events of {report.shoppers:,} shoppers, {report.seconds:.0f} s; wrote {out}")
