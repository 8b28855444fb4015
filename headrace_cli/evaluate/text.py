"""`headrace evaluate intent`, `sentiment` and `matching`: how well the text encoder learns a task."""

from pathlib import Path
from typing import Annotated

import typer

from headrace.errors import UsageError
from headrace_cli.evaluate.group import evaluations
from headrace_cli.models.text_options import Device, Epochs, MethodName, Seed, Test, TextEncoder, Train, Valid
from headrace_cli.shell.arguments import readable_file
from streams.operations.console import JsonFlag, console, print_json, progress
from trainer.progress import Stages

Shop = Annotated[
    Path, typer.Argument(callback=readable_file, help="items of a shop: id|name|description|…, a header first")
]
Pairs = Annotated[
    Path,
    typer.Argument(callback=readable_file, help="true pairs: id of the first shop|id of the second, a header first"),
]
Share = Annotated[float, typer.Option("--share", min=0.1, max=0.9, help="of the pairs, to train on; the rest score")]

Batch = Annotated[int, typer.Option("--batch", min=1, help="texts a step")]
Agreement = Annotated[
    float, typer.Option("--agreement", min=0, help="weight of R-Drop: passes with other dropout must agree; 0 is off")
]


def register(_: typer.Typer) -> None:
    """Add the commands to their group."""
    for command in (intent, sentiment, matching):
        evaluations.command()(command)


def intent(
    train: Train = None,
    test: Test = None,
    valid: Valid = None,
    method: MethodName = "full",
    epochs: Epochs = 6,
    batch: Batch = 64,
    agreement: Agreement = 1.0,
    seed: Seed = 0,
    device: Device = "auto",
    text_encoder: TextEncoder = None,
    as_json: JsonFlag = False,
) -> None:
    """Accuracy of intents on the test file, and AUROC of questions out of scope where the file has such."""
    _classify(train, valid, test, method, epochs, batch, agreement, seed, device, text_encoder, as_json=as_json)


def sentiment(
    train: Train = None,
    test: Test = None,
    valid: Valid = None,
    method: MethodName = "full",
    epochs: Epochs = 4,
    batch: Batch = 32,
    agreement: Agreement = 1.0,
    seed: Seed = 0,
    device: Device = "auto",
    text_encoder: TextEncoder = None,
    as_json: JsonFlag = False,
) -> None:
    """Accuracy of sentiments on the test file."""
    _classify(train, valid, test, method, epochs, batch, agreement, seed, device, text_encoder, as_json=as_json)


def matching(
    first: Shop,
    second: Shop,
    pairs: Pairs,
    share: Share = 0.5,
    method: MethodName = "full",
    epochs: Epochs = 4,
    seed: Seed = 0,
    device: Device = "auto",
    text_encoder: TextEncoder = None,
    as_json: JsonFlag = False,
) -> None:
    """Recall of each shop's items in the other, frozen and fine-tuned on a share of the pairs, on the other pairs."""
    from trainer.text.encoder import load_text_model
    from trainer.text.finetuning.methods import parse_method
    from trainer.text.matching.matching import MOST_TOKENS, evaluate_matching
    from trainer.text.matching.shop import read_shops
    from trainer.training_loop.device import pick_device, use_cores

    chosen, shops = parse_method(method), read_shops(first, second, pairs)
    use_cores()
    model = load_text_model(text_encoder, pick_device(device), MOST_TOKENS)
    with progress() as bar:
        found = evaluate_matching(model, shops, share, chosen, epochs, seed, Stages(bar))
    if as_json:
        print_json(found)
        return
    console.print(f"{found.test_pairs:,} queries a direction, {found.seconds:.0f} s; recall at 1, 5 and 10:")
    for name in ("frozen", "tuned"):
        for direction, r in getattr(found, name).items():
            console.print(f"  {name:<8} {direction:<18} {r['at_1']:.4f} {r['at_5']:.4f} {r['at_10']:.4f}")


def _classify(
    train: Path | None,
    valid: Path | None,
    test: Path | None,
    method: str,
    epochs: int,
    batch: int,
    agreement: float,
    seed: int,
    device: str,
    text_encoder: str | None,
    *,
    as_json: bool,
) -> None:
    from trainer.text.encoder import load_text_model
    from trainer.text.evaluation import MOST_TOKENS, evaluate_task
    from trainer.text.finetuning.finetuning import LEARNING_RATES, Recipe
    from trainer.text.finetuning.methods import parse_method
    from trainer.text.tasks import read_task
    from trainer.training_loop.device import pick_device, use_cores

    if train is None:
        raise UsageError("--train is missing; name the file to learn from")
    chosen, task = parse_method(method), read_task(train, valid, test, seed)
    use_cores()
    model = load_text_model(text_encoder, pick_device(device), MOST_TOKENS)
    recipe = Recipe(LEARNING_RATES[chosen], epochs, batch=batch, agreement=agreement)
    with progress() as bar:
        scores, _ = evaluate_task(model, task, chosen, recipe, seed, Stages(bar))
    if as_json:
        print_json(scores)
        return
    console.print(f"accuracy {scores.accuracy:.4f} on {scores.test_rows:,} texts of {scores.classes} classes")
    if scores.oos_auroc is not None:
        console.print(f"out of scope AUROC {scores.oos_auroc:.4f}, by {scores.oos_score}")
    console.print(f"{scores.method}, {scores.trainable_share:.2%} trainable, {scores.seconds:.0f} s")
