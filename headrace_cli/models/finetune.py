"""`headrace finetune …`: every method side by side, and a head for a new task from a few examples."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.errors import UsageError
from headrace.settings.model import settings
from headrace_cli.models.text_options import Device, MethodName, Seed, Test, TextEncoder, Train, Valid
from headrace_cli.shell.arguments import folder_of_its_own, methods, readable_file
from streams.operations.console import JsonFlag, console, print_json, progress
from trainer.progress import Stages

if TYPE_CHECKING:
    from trainer.text.compare import Compared

TaskName = Annotated[str | None, typer.Option("--task", help="banking77, clinc150 or sst2, under HEADRACE_DATA")]
Rows = Annotated[int, typer.Option("--rows", min=10, help="training rows at most")]
Epochs = Annotated[int, typer.Option("--epochs", min=1, help="for every method")]
Methods = Annotated[str, typer.Option("--methods", callback=methods, help="comma-separated; default: all")]
FewTrain = Annotated[Path, typer.Option("--train", callback=readable_file, help="CSV with text,label: the examples")]
FewTest = Annotated[
    Path | None, typer.Option("--test", callback=readable_file, help="CSV with text,label: scored once")
]
Shots = Annotated[int, typer.Option("--shots", min=1, help="examples of each class that are used, drawn by the seed")]
Out = Annotated[
    Path | None,
    typer.Option("--out", callback=folder_of_its_own, help="new folder to keep the encoder and the head in"),
]

finetuning = typer.Typer(no_args_is_help=True, help="Fine-tune the text encoder.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(finetuning, name="finetune")


@finetuning.command("compare")
def compare(
    task: TaskName = None,
    train: Train = None,
    valid: Valid = None,
    test: Test = None,
    rows: Rows = 5_000,
    epochs: Epochs = 3,
    methods: Methods = "full,lora,adalora,prefix,adapters,ia3,frozen",
    seed: Seed = 0,
    device: Device = "auto",
    text_encoder: TextEncoder = None,
    as_json: JsonFlag = False,
) -> None:
    """Run every fine-tuning method on one task and print quality, trainable share, seconds and peak memory."""
    from trainer.text.compare import Setting
    from trainer.text.compare import compare as run_each
    from trainer.text.finetuning.methods import parse_method
    from trainer.text.tasks import public_task, read_task, thinned
    from trainer.training_loop.device import pick_device

    chosen = [parse_method(name.strip()) for name in methods.split(",")]
    if (task is None) == (train is None):
        raise UsageError("give either --task, a public set, or --train and --test, files of your own")
    whole = read_task(train, valid, test, seed) if train else public_task(task or "", settings().data, seed)
    setting = Setting(thinned(whole, rows, seed), epochs, seed, pick_device(device).type, text_encoder)
    found: list[Compared] = []
    with progress() as bar:
        stages = Stages(bar)
        stages("methods", 0, len(chosen), chosen[0])
        for line in run_each(setting, chosen):
            found.append(line)
            stages("methods", len(found), len(chosen), f"{line.method} {line.accuracy:.4f}")
    if as_json:
        print_json({"rows": len(setting.task.train.texts), "epochs": epochs, "seed": seed, "methods": found})
    else:
        _show(found)


@finetuning.command("few-shot")
def few_shot(
    train: FewTrain,
    test: FewTest = None,
    shots: Shots = 8,
    method: MethodName = "full",
    out: Out = None,
    seed: Seed = 0,
    device: Device = "auto",
    text_encoder: TextEncoder = None,
    as_json: JsonFlag = False,
) -> None:
    """A head for a new task from a few examples of each class; with --test, beside the zero-shot and the frozen one."""
    from trainer.text.classifier import save_classifier
    from trainer.text.encoder import load_text_model
    from trainer.text.evaluation import MOST_TOKENS, evaluate_few_shot
    from trainer.text.finetuning.methods import Method, parse_method
    from trainer.text.labelled import read_labelled
    from trainer.training_loop.device import pick_device, use_cores

    chosen = parse_method(method)
    if out is not None and chosen is Method.PREFIX:
        raise UsageError("--method prefix changes how the encoder runs, and is not saved: use lora, or leave out --out")
    rows = read_labelled(train)
    scored = None if test is None else read_labelled(test, rows.classes)
    use_cores()
    model = load_text_model(text_encoder, pick_device(device), MOST_TOKENS)
    with progress() as bar:
        scores, classifier = evaluate_few_shot(model, rows, scored, shots, chosen, seed, Stages(bar))
    if out is not None:
        save_classifier(classifier, out)
    if as_json:
        print_json(scores)
        return
    for name, accuracy in scores.accuracy.items():
        console.print(f"{name:<10} {accuracy:.4f}")
    console.print(f"{scores.examples:,} examples of {scores.classes} classes, {scores.seconds:.0f} s")


def _show(found: "list[Compared]") -> None:
    console.print(f"{'method':<10}{'accuracy':>10}{'trainable':>11}{'seconds':>9}{'peak MB':>9}")
    for r in found:
        share = f"{r.trainable_share:.2%}"
        console.print(f"{r.method:<10}{r.accuracy:>10.4f}{share:>11}{r.seconds:>9.1f}{r.peak_memory_mb:>9,}")
