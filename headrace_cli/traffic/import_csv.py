"""`headrace import csv` and `headrace init`: a shop's own exports as a recorded stream."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from headrace.errors import UsageError
from headrace_cli.shell.arguments import new_folder, readable_files
from headrace_cli.traffic.recordings import OutFile, importers
from streams.operations.console import JsonFlag, console, print_json, reporting

if TYPE_CHECKING:
    from streams.recordings.importing.csv_import import Export, ImportedCsv


def register(app: typer.Typer) -> None:
    """Add the commands."""
    importers.command("csv")(import_csv)
    app.command()(init)


def import_csv(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE…", callback=readable_files, help="exports: .csv, .tsv, also .gz, .xz and .zst"),
    ],
    out: OutFile,
    maps: Annotated[
        list[str],
        typer.Option("--map", help="a TOML file (one for all FILEs, or one each), or field=column[,field=column…]"),
    ],
    constants: Annotated[
        list[str] | None, typer.Option("--set", help="what is the same in every row, such as type=purchase")
    ] = None,
    types: Annotated[
        list[str] | None, typer.Option("--type", help="their word for a type of event, such as order=purchase, x=skip")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="first moment to take in, UTC")] = None,
    until: Annotated[datetime | None, typer.Option(help="first moment to leave out, UTC")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Import a shop's own exports of orders and clicks: events, and before them the items they name.

    Every line that gives no event is counted by the reason. `headrace init` writes an example of FILE and map.
    """
    from headrace.settings.model import settings
    from streams.recordings.importing.csv_import import import_csv as run

    exports = _exports(files, maps, constants or [], types or [])
    period = _ms(since, 0), _ms(until, 1 << 62)
    with reporting("reading lines") as report:
        done = run(exports, out, settings(), since_ms=period[0], until_ms=period[1], on_progress=report)
    if as_json:
        print_json(done)
    else:
        _show(done)


def init(
    folder: Annotated[
        Path, typer.Argument(callback=new_folder, help="where to; the present folder by default")
    ] = Path(),
    as_json: JsonFlag = False,
) -> None:
    """Write a tiny export of a shop and the commented map that it is imported by. Nothing is overwritten."""
    from streams.recordings.importing.example import write_example

    export, columns = write_example(folder)
    if as_json:
        print_json({"export": str(export), "map": str(columns)})
    else:
        console.print(f"{export} and {columns}; now put your own columns into them, or try them:", soft_wrap=True)
        typer.echo(f"headrace import csv {export} --map {columns} --out {folder / 'shop.jsonl'}")


def _exports(files: "list[Path]", words: "list[str]", constants: "list[str]", types: "list[str]") -> "list[Export]":
    """Each file with its map: pairs go for all of them."""
    from streams.recordings.importing.csv_import import Export
    from streams.recordings.importing.csv_map import read_map

    pairs, tables = [word for word in words if "=" in word], [word for word in words if "=" not in word]
    if len(tables) not in {0, 1, len(files)}:
        raise UsageError(f"{len(tables)} maps for {len(files)} files: name one for all of them, or one for each")
    of_each = [tables[:1]] * len(files) if len(tables) < 2 else [[table] for table in tables]
    return [
        Export(file, read_map([*mine, *pairs], constants, types)) for file, mine in zip(files, of_each, strict=True)
    ]


def _show(done: "ImportedCsv") -> None:
    console.print(
        f"{done.lines:,} lines: {done.events:,} events of {done.users:,} shoppers and {done.items:,} items → "
        f"{escape(done.out)}",
        soft_wrap=True,
    )
    for reason, count in done.dropped.items():
        console.print(f"  {count:,} dropped, {reason}: {escape(done.examples[reason])}", soft_wrap=True)


def _ms(moment: datetime | None, otherwise: int) -> int:
    return otherwise if moment is None else int(moment.replace(tzinfo=UTC).timestamp() * 1_000)
