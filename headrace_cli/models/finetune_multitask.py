"""`headrace finetune multitask`: each task alone beside all together."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.errors import UsageError
from headrace.settings.model import settings
from headrace_cli.models.finetune import finetuning
from headrace_cli.models.text_options import Device, TextEncoder
from headrace_cli.shell.arguments import readable_file
from streams.operations.console import JsonFlag, console, print_json, progress
from trainer.progress import Stages

if TYPE_CHECKING:
    from trainer.multitask.compare import Compared

Tasks = Annotated[str, typer.Option("--tasks", help="comma-separated: intent, scope, sentiment, matching")]
Train = Annotated[
    Path | None,
    typer.Option(
        "--train",
        callback=readable_file,
        help="instead of --tasks: CSV with text and a column a task, empty for no label",
    ),
]
Test = Annotated[Path | None, typer.Option("--test", callback=readable_file, help="scored once; same form as --train")]
Rows = Annotated[int, typer.Option("--rows", min=10, help="training rows of a public task at most")]
Seeds = Annotated[int, typer.Option("--seeds", min=1, help="how often everything is learnt anew")]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="the one that validates best is kept")]
Weighting = Annotated[str, typer.Option("--weighting", help="of the losses: uncertainty, pcgrad or equal")]
Apart = Annotated[
    str | None, typer.Option("--apart", help="tasks learnt alone; default: those that sharing was measured to hurt")
]


def register(_: typer.Typer) -> None:
    """Add the command to its group."""
    finetuning.command("multitask")(multitask)


def multitask(
    tasks: Tasks = "intent,scope,sentiment,matching",
    train: Train = None,
    test: Test = None,
    rows: Rows = 2_000,
    seeds: Seeds = 3,
    epochs: Epochs = 3,
    weighting: Weighting = "uncertainty",
    apart: Apart = None,
    device: Device = "auto",
    text_encoder: TextEncoder = None,
    as_json: JsonFlag = False,
) -> None:
    """Learn tasks one by one and with one shared encoder; print both, over all seeds."""
    from functools import partial

    from msgspec.structs import replace

    from trainer.multitask.compare import Setting, compare
    from trainer.multitask.config import MultitaskConfig, parse_weighting
    from trainer.multitask.label_tables import table_tasks
    from trainer.multitask.sources import read_tasks
    from trainer.training_loop.device import pick_device, use_cores

    config = MultitaskConfig(weighting=parse_weighting(weighting), epochs=epochs)
    if apart is not None:
        config = replace(config, apart=tuple(name for name in apart.split(",") if name))
    if train is not None and test is not None:
        of_seed = partial(table_tasks, train, test)
    elif train is None and test is None:
        of_seed = partial(read_tasks, [name.strip() for name in tasks.split(",")], settings().data, rows)
    else:
        raise UsageError("--train and --test: give both, or neither for the public tasks")
    use_cores()
    with progress() as bar:
        setting = Setting(of_seed, seeds, pick_device(device), text_encoder)
        found = compare(setting, config, Stages(bar))
    if as_json:
        print_json({"rows": None if train else rows, "seeds": seeds, "config": config, "tasks": found})
    else:
        _show(found)


def _show(found: "list[Compared]") -> None:
    console.print(f"{'task':<12}{'alone':>18}{'together':>18}")
    for r in found:
        alone, together = (f"{s.mean:.4f} ± {s.sd:.4f}" for s in (r.alone, r.together))
        console.print(f"{r.task:<12}{alone:>18}{together:>18}{'  hurt by sharing' if r.hurt else ''}")
