"""`headrace train`, `publish` and `rollback`: from a recorded stream to a served version."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from headrace.settings.model import settings
from headrace_cli.shell.arguments import LARGEST_SEED, device, new_folder, readable_file, readable_folder
from streams.operations.console import JsonFlag, print_json, progress
from trainer.progress import Stages

Stream = Annotated[
    Path, typer.Option("--stream", callback=readable_file, help="recorded stream: JSON lines, plain, .gz or .zst")
]
Out = Annotated[
    Path,
    typer.Option("--out", callback=new_folder, help="folder to write; may be copied anywhere and published from there"),
]
Device = Annotated[str, typer.Option("--device", callback=device, help="auto, cpu or cuda")]
Seed = Annotated[
    int,
    typer.Option("--seed", min=0, max=LARGEST_SEED, help="the same seed and stream give the same model on a machine"),
]
TextEncoder = Annotated[
    str | None, typer.Option("--text-encoder", help="Hugging Face name or folder; default: the installed MiniLM")
]
SettingsFile = Annotated[
    Path | None,
    typer.Option(
        "--settings", callback=readable_file, help="JSON with the behaviour model's settings, such as `search` writes"
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="go on where an interrupted run of the same stream, seed and settings stopped")
]
PretrainedFile = Annotated[
    Path | None,
    typer.Option(
        "--pretrained", callback=readable_file, help="start from a file that `headrace pretrain` wrote, of any shop"
    ),
]
Trained = Annotated[Path, typer.Argument(callback=readable_folder, help="a folder that `headrace train` wrote")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (train, publish, rollback):
        app.command()(command)


def train(
    stream: Stream,
    out: Out,
    device: Device = "auto",
    seed: Seed = 0,
    text_encoder: TextEncoder = None,
    settings_file: SettingsFile = None,
    resume: Resume = False,
    pretrained: PretrainedFile = None,
    as_json: JsonFlag = False,
) -> None:
    """Fit the shopper model and the demand model to a recorded stream.

    Under `torchrun … -m headrace_cli train …` every process computes its share; the first one writes and tells.
    """
    from trainer.behaviour.config import read_settings
    from trainer.evaluation.tables import beyond_table
    from trainer.train import train as fit_all
    from trainer.training_loop.processes import is_first

    with progress(shown=is_first()) as bar:
        metrics = fit_all(
            stream,
            out,
            window_ms=settings().window,
            timezone=settings().timezone,
            horizon=settings().horizon,
            on_progress=Stages(bar),
            device=device,
            seed=seed,
            text_encoder=text_encoder,
            settings=read_settings(settings_file) if settings_file else None,
            resume=resume,
            pretrained=pretrained,
        )
    if metrics is None:
        return
    if as_json:
        print_json(metrics)
    else:
        Console().print(beyond_table(metrics.recall_at_20.beyond_accuracy))
        typer.echo(f"Trained on {metrics.events:,} events; model card: {out / 'model_card.md'}")


def publish(directory: Trained, as_json: JsonFlag = False) -> None:
    """Make a trained folder the next version, load it in Triton and check that it answers as trained."""
    from trainer.publishing.publish import publish as serve

    _print_version("Published", serve(directory, settings()), as_json)


def rollback(as_json: JsonFlag = False) -> None:
    """Serve the version before the one that is served now."""
    from trainer.publishing.publish import rollback as go_back

    _print_version("Went back to", go_back(settings()), as_json)


def _print_version(what: str, version: int, as_json: bool) -> None:
    if as_json:
        print_json({"version": version})
    else:
        typer.echo(f"{what} version {version}")
