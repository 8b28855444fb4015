"""`headrace features …`: what the online store holds, and the same folded from a recording."""

import asyncio
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from headrace.errors import CheckFailed
from headrace_cli.shell.arguments import new_file, readable_file
from streams.operations.console import JsonFlag, console, print_json, progress

if TYPE_CHECKING:
    from feature_repo.store.row_store import RowStore

_T = TypeVar("_T")
_features = typer.Typer(no_args_is_help=True, help="Show, dump and fold features.")
_Out = Annotated[Path, typer.Option("--out", callback=new_file, help="file to write, JSON Lines")]
_Stream = Annotated[Path, typer.Option("--stream", callback=readable_file, help="recorded stream")]


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(_features, name="features")


@_features.command()
def user(user_id: str, json: JsonFlag = False) -> None:
    """Show what the online store holds of a shopper, and what it joins to in the catalogue."""
    from feature_repo.store.reading import read_user

    with _store() as (store, runner):
        found = runner.run(read_user(store, user_id))
    if found is None:
        raise CheckFailed(f"The online store holds nothing of user {user_id!r}.")
    features, joined = found
    _show({"user_id": user_id, "features": features, "joined": joined._asdict()}, json=json)


@_features.command()
def item(item_id: str, json: JsonFlag = False) -> None:
    """Show what the online store holds of an item: its catalogue row and its counters."""
    from feature_repo.store.reading import read_item

    with _store() as (store, runner):
        found = runner.run(read_item(store, item_id))
    if found is None:
        raise CheckFailed(f"The online store holds nothing of item {item_id!r}.")
    _show({"item_id": item_id, "features": found}, json=json)


@_features.command()
def dump(out: _Out, json: JsonFlag = False) -> None:
    """Write every row of the online store: stores that saw the same stream give the same file."""
    from feature_repo.store.dump import write_lines
    from feature_repo.store.reading import every_line

    with _store() as (store, runner):
        rows = write_lines(out, _watched(every_line(store, runner), "rows"))
    _report({"rows": rows, "out": str(out)}, json=json)


@_features.command()
def fold(stream: _Stream, out: _Out, json: JsonFlag = False) -> None:
    """Fold a recording without a worker and write the rows as `dump` would: compare the two with diff."""
    from feature_repo.offline.fold import fold_stream
    from feature_repo.store.dump import write_lines
    from headrace.recording.reading import read_recording
    from headrace.settings.model import settings

    rows = fold_stream(_watched(read_recording(stream), "records"), settings(), _now_ms())
    _report({"rows": write_lines(out, rows.lines()), "out": str(out)}, json=json)


@_features.command()
def parquet(stream: _Stream, json: JsonFlag = False) -> None:
    """Fold a recording into point-in-time Parquet under HEADRACE_HOME, for Feast's historical features."""
    from feature_repo.offline.point_in_time import write_point_in_time
    from headrace.recording.reading import read_recording
    from headrace.settings.model import settings

    records = _watched(read_recording(stream), "records")
    _report(write_point_in_time(records, settings(), _now_ms()), json=json)


@contextmanager
def _store() -> Generator[tuple["RowStore", asyncio.Runner], None, None]:
    from feature_repo.store.row_store import RowStore
    from headrace.settings.model import settings

    with asyncio.Runner() as runner:
        store = runner.run(RowStore.open(settings()))
        try:
            yield store, runner
        finally:
            runner.run(store.close())


def _watched(things: Iterable[_T], what: str) -> Iterator[_T]:
    """Pass things on and show how many."""
    with progress() as bar:
        task = bar.add_task(what, total=None, note="")
        for number, thing in enumerate(things, 1):
            yield thing
            if number % 1_000 == 0:
                bar.update(task, completed=number)


def _show(found: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(found)
    else:
        from rich import print_json as print_readable

        print_readable(data=found)


def _report(counts: dict[str, Any], *, json: bool) -> None:
    if json:
        print_json(counts)
    else:
        console.print(", ".join(f"{name}: {value}" for name, value in counts.items()))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
