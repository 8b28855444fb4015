"""`headrace demand`: the anomaly detector on any series of readings."""

from pathlib import Path
from typing import Annotated

import typer

from headrace_cli.shell.arguments import new_file, readable_file
from streams.operations.console import JsonFlag, console, print_error, print_json, reporting
from streams.scenarios.anomaly.files import Scored, score_file

demand = typer.Typer(help="Score any series of readings for anomalies.", no_args_is_help=True)

Input = Annotated[
    Path, typer.Option("--input", callback=readable_file, help="CSV with columns timestamp and value, oldest row first")
]
Output = Annotated[
    Path, typer.Option("--output", callback=new_file, help="CSV to write: timestamp, value, anomaly_score (0..1)")
]


def register(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(demand, name="demand")
    demand.callback()(lambda: None)


@demand.command("score")
def score(source: Input, target: Output, as_json: JsonFlag = False) -> None:
    """Stream a series through the detector; each row is scored from the rows before it alone."""
    with reporting("scoring") as report:
        found = score_file(source, target, report)
    _warn(found)
    if as_json:
        print_json(found)
        return
    console.print(f"{found.rows:,} rows → {target}; highest score {found.highest:.4f}")


def _warn(found: Scored) -> None:
    if found.repeated:
        print_error(f"{found.repeated} time stamps are not after the one before; rows were taken in the file's order")
    if found.no_number:
        print_error(f"{found.no_number} values are no finite number and were scored 0")
    if found.first_oddity:
        print_error(f"the first of these rows is on line {found.first_oddity}")
