"""`headrace evaluate diversity`: what less of the same in a list costs in accuracy."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from headrace_cli.evaluate.group import evaluations
from headrace_cli.models.models import Stream, TextEncoder
from headrace_cli.shell.arguments import new_file, readable_folder
from streams.operations.console import JsonFlag, print_json, progress
from trainer.progress import Stages

Model = Annotated[Path, typer.Option("--model", callback=readable_folder, help="a folder that `headrace train` wrote")]
Since = Annotated[datetime | None, typer.Option("--since", help="first day to measure on; default: the last tenth")]
Plot = Annotated[Path | None, typer.Option("--plot", callback=new_file, help="write the curve to this SVG file")]


def register(_: typer.Typer) -> None:
    """Add the command to its group."""
    evaluations.command("diversity")(evaluate_diversity)


def evaluate_diversity(
    stream: Stream,
    model: Model,
    since: Since = None,
    text_encoder: TextEncoder = None,
    plot: Plot = None,
    as_json: JsonFlag = False,
) -> None:
    """Re-rank a trained model's lists for diversity, setting by setting, and measure each.

    What the model was trained on flatters it: give a stream that goes on after that, and --since.
    """
    from trainer.evaluation.lists.trade_off import measure_trade_off
    from trainer.evaluation.lists.trade_off_report import draw_trade_off, trade_off_table

    with progress() as bar:
        curve = measure_trade_off(stream, model, since, text_encoder, Stages(bar))
    if plot is not None:
        draw_trade_off(plot, curve)
    if as_json:
        print_json(curve)
    else:
        Console().print(trade_off_table(curve))
