"""`headrace evaluate demand`: forecasts of a recorded stream after a date, beside statistical ones."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.table import Table

from feature_repo.basics.windows import windows_of
from headrace.errors import UsageError
from headrace.settings.model import settings
from headrace.settings.values import DurationMs
from headrace_cli.evaluate.group import evaluations
from headrace_cli.shell.arguments import LARGEST_SEED, new_file, readable_file
from streams.operations.console import JsonFlag, print_json, progress
from trainer.progress import Stages

if TYPE_CHECKING:
    from trainer.demand.accuracy import DemandAccuracy
    from trainer.demand.evaluation import DemandEvaluation

Stream = Annotated[
    Path, typer.Option("--stream", callback=readable_file, help="recorded stream: JSON lines, plain, .gz or .zst")
]
Split = Annotated[datetime, typer.Option("--split", help="learn from what lies before, score what comes after (UTC)")]
Window = Annotated[str, typer.Option("--window", help="length of a demand window, such as 1h or 1d")]
Horizon = Annotated[int, typer.Option("--horizon", min=4, max=84, help="windows forecast at once")]
Items = Annotated[int, typer.Option("--items", min=1, help="best sellers before the split to score")]
Seed = Annotated[
    int,
    typer.Option("--seed", min=0, max=LARGEST_SEED, help="the same seed and files give the same figures on a machine"),
]
Plot = Annotated[
    Path | None, typer.Option("--plot", callback=new_file, help="draw forecasts, intervals and alerts to this SVG file")
]
PlotItems = Annotated[str, typer.Option("--plot-items", help="comma-separated item ids; default: the 4 best sellers")]

_DRAWN = 4


def register(_: typer.Typer) -> None:
    """Add the command to its group."""
    evaluations.command("demand")(evaluate_demand)


def evaluate_demand(
    stream: Stream,
    split: Split,
    window: Window = "1d",
    horizon: Horizon = 7,
    items: Items = 500,
    seed: Seed = 0,
    plot: Plot = None,
    plot_items: PlotItems = "",
    as_json: JsonFlag = False,
) -> None:
    """Fit demand up to a date, forecast what came after, and score it beside statistical methods."""
    windows = windows_of(_window_ms(window), settings().timezone)
    from trainer.demand.evaluation import evaluate_demand as evaluate

    with progress() as bar:
        done = evaluate(
            stream,
            split,
            windows=windows,
            horizon=horizon,
            items=items,
            seed=seed,
            on_progress=Stages(bar),
        )
    if plot is not None:
        _draw(done, plot, plot_items)
    if as_json:
        print_json(done.methods)
    else:
        Console().print(_table(done.methods, len(done.items), done.headrace.lower.shape[1]))


def _draw(done: "DemandEvaluation", plot: Path, plot_items: str) -> None:
    from streams.scenarios.demand import DemandRules
    from trainer.demand.plotting import alerts_of, draw_demand

    known = [done.series.item_ids[row] for row in done.items]
    chosen = [item.strip() for item in plot_items.split(",") if item.strip()] or known[:_DRAWN]
    if unknown := set(chosen) - set(known):
        raise UsageError(f"--plot-items: {sorted(unknown)[0]!r} is not among the {len(known)} items scored")
    rules = DemandRules.of(settings())._replace(window_ms=done.series.window_ms, days=None)
    draw_demand(plot, done, chosen, alerts_of(done, rules))


def _window_ms(text: str) -> int:
    try:
        return TypeAdapter(DurationMs).validate_python(text)
    except ValidationError as error:
        raise UsageError(f"--window {text!r}: it must be a duration such as 1h or 1d") from error


def _table(methods: "dict[str, DemandAccuracy]", items: int, windows: int) -> Table:
    table = Table(title=f"{items} best sellers, {windows} windows", title_justify="left")
    for name in ("method", "WQL", "MASE", "80 % interval covers"):
        table.add_column(name, justify="left" if name == "method" else "right")
    for name, found in methods.items():
        table.add_row(name, f"{found.wql:.4f}", f"{found.mase:.4f}", f"{found.coverage80:.1%}")
    return table
