"""`headrace simulate`, `import` and `validate`: make recorded streams, and check them."""

import time
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from headrace.errors import CheckFailed
from headrace_cli.shell.arguments import LARGEST_SEED, new_file, readable_file
from streams.operations.console import JsonFlag, console, print_json, reporting
from streams.recordings.importing.dates import DateOrder

if TYPE_CHECKING:
    from streams.recordings.validation.validation_report import Validation

OutFile = Annotated[
    Path, typer.Option("--out", callback=new_file, help="recorded stream: .jsonl, .jsonl.gz or .jsonl.zst")
]
_COLOURS = {"PASS": "green", "WARN": "yellow", "FAIL": "red"}

importers = typer.Typer(
    help="Turn a shop's own export, or a public data set, into a recorded stream.", no_args_is_help=True
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(simulate)
    app.command()(validate)
    app.add_typer(importers, name="import")


def simulate(
    out: OutFile,
    users: Annotated[int, typer.Option(help="shoppers who come back")] = 500,
    items: Annotated[int, typer.Option(help="items of the catalogue")] = 200,
    days: Annotated[int, typer.Option(help="days of trade, from Monday 2026-01-05 on")] = 21,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="the same seed gives the same bytes")] = 1,
    anomalies: Annotated[int, typer.Option(help="planted demand anomalies")] = 5,
    as_json: JsonFlag = False,
) -> None:
    """Simulate a shop whose truth is known, and write it as a recorded stream and FILE.truth.json."""
    from streams.recordings.simulation.simulate import Plan
    from streams.recordings.simulation.simulate import simulate as run

    plan = Plan(users=users, items=items, days=days, seed=seed, anomalies=anomalies)
    with reporting("simulating visits") as report:
        done = run(plan, out, report)
    if as_json:
        print_json(done)
    else:
        console.print(
            f"{done.events:,} events of {done.users:,} shoppers and {done.items:,} items → {escape(done.out)}; "
            f"{done.anomalies} planted anomalies and all click probabilities → {escape(done.truth)}"
        )


@importers.command("online-retail")
def import_online_retail(
    source: Annotated[
        Path, typer.Argument(metavar="SRC", callback=readable_file, help="the UCI file: .csv, .csv.xz or .xlsx")
    ],
    out: OutFile,
    since: Annotated[datetime | None, typer.Option(help="first day to take in")] = None,
    until: Annotated[datetime | None, typer.Option(help="first day to leave out")] = None,
    dates: Annotated[
        DateOrder | None, typer.Option(help="what comes first in dates like 01/12/2010; default: what the file tells")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Import UCI Online Retail: purchases and returns, and before them the items they name."""
    from streams.recordings.importing.online_retail import import_online_retail as run

    with reporting("reading lines") as report:
        done = run(source, out, since=since, until=until, dates=dates, on_progress=report)
    if as_json:
        print_json(done)
    else:
        console.print(
            f"{done.lines:,} lines: {done.purchases:,} purchases, {done.returns:,} returns; left out "
            f"{done.fees:,} fees, {done.adjustments:,} adjustments, {done.outside_period:,} outside the period, "
            f"{done.unreadable:,} unreadable\n{done.events:,} events of {done.users:,} shoppers and "
            f"{done.items:,} items → {escape(done.out)}"
        )


def validate(
    file: Annotated[Path, typer.Argument(callback=readable_file, help="recorded stream")],
    as_json: JsonFlag = False,
) -> None:
    """Check a recorded stream: PASS, WARN or FAIL for each check, with examples."""
    from headrace.settings.model import settings
    from streams.recordings.validation.validate import validate_recording

    with reporting("checking records") as report:
        found = validate_recording(file, now_ms=time.time_ns() // 1_000_000, settings=settings(), on_progress=report)
    if as_json:
        print_json(found)
    else:
        _show(found)
    if not found.ok:
        failed = ", ".join(check.check for check in found.checks if check.status == "FAIL")
        raise CheckFailed(f"{file} is empty: it holds no record" if found.empty else f"{file} does not hold: {failed}")


def _show(found: "Validation") -> None:
    table = Table(box=None, show_header=False)
    for check in found.checks:
        colour = _COLOURS[check.status]
        table.add_row(f"[{colour}]{check.status}[/]", check.check, escape(check.detail))
        for example in check.examples:
            table.add_row("", "", f"[dim]{escape(example)}[/]")
    console.print(table)
