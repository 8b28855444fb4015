"""`headrace evaluate ctr`: click probabilities on any file of impressions."""

from pathlib import Path
from typing import Annotated

import typer

from headrace_cli.evaluate.group import evaluations
from headrace_cli.shell.arguments import LARGEST_SEED, new_file, readable_file
from streams.operations.console import JsonFlag, print_json, progress
from trainer.progress import Stages

Train = Annotated[
    Path,
    typer.Option("--train", callback=readable_file, help="CSV with a header, one impression a line, in order of time"),
]
Test = Annotated[
    Path, typer.Option("--test", callback=readable_file, help="CSV with the same columns; its labels only score, once")
]
Valid = Annotated[
    Path | None,
    typer.Option(
        "--valid",
        callback=readable_file,
        help="CSV that decides when to stop and calibrates; default: the end of --train",
    ),
]
Label = Annotated[str, typer.Option("--label", help="column that is 1 where the item was clicked, else 0")]
User = Annotated[str, typer.Option("--user", help="column of user ids")]
Item = Annotated[str, typer.Option("--item", help="column of item ids; all other columns are context")]
Seed = Annotated[
    int,
    typer.Option("--seed", min=0, max=LARGEST_SEED, help="the same seed and files give the same figures on a machine"),
]
Plot = Annotated[
    Path | None, typer.Option("--plot", callback=new_file, help="write the reliability diagram to this SVG file")
]


def register(_: typer.Typer) -> None:
    """Add the command to its group."""
    evaluations.command("ctr")(evaluate_ctr)


def evaluate_ctr(
    train: Train,
    test: Test,
    label: Label,
    user: User,
    item: Item,
    valid: Valid = None,
    seed: Seed = 0,
    plot: Plot = None,
    as_json: JsonFlag = False,
) -> None:
    """Train on impressions, calibrate on held-back ones, score the test file once."""
    from trainer.click.tables.evaluate import evaluate_clicks
    from trainer.evaluation.reliability import draw_reliability

    with progress() as bar:
        done = evaluate_clicks(
            train, test, valid, label=label, user=user, item=item, seed=seed, on_progress=Stages(bar)
        )
    if plot is not None:
        draw_reliability(plot, done.probability, done.clicked, f"Click probability on {test.name}")
    figures = done.figures
    if as_json:
        print_json(figures)
        return
    auc = "none, since all labels are the same" if figures.auc is None else f"{figures.auc:.4f}"
    for name, value in (
        ("AUC", auc),
        ("log loss", f"{figures.logloss:.4f}  (the click rate for every row: {figures.base_logloss:.4f})"),
        ("calibration error", f"{figures.ece:.4f}  (bins of equal count: {figures.ece_equal_mass:.4f})"),
        ("click rate", f"{figures.test_rate:.4f}  (in training: {figures.train_rate:.4f})"),
        ("rows", f"{figures.test_rows:,} scored, {figures.train_rows:,} learnt from"),
        ("seconds", f"{figures.seconds:.1f}"),
    ):
        typer.echo(f"{name:20} {value}")
