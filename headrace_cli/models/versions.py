"""`headrace models …`: what lies in the model repository, and what of it is served."""

import sys
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from headrace.errors import ModelUnavailable
from headrace.settings.model import settings
from streams.operations.console import JsonFlag, print_json

if TYPE_CHECKING:
    from trainer.publishing.inventory import Inventory

_WIDTH = 200  # where standard output is no terminal
_models = typer.Typer(no_args_is_help=True, help="The versions that were published.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(_models, name="models")
    _models.callback()(lambda: None)


@_models.command("list")
def show(as_json: JsonFlag = False) -> None:
    """List the versions of HEADRACE_MODEL_REPO: which is served, when each was trained, how it measured.

    Exit 1 where Triton does not answer, or serves something else than the repository says.
    """
    from trainer.publishing.inventory import inventory

    found = inventory(settings())
    if as_json:
        print_json(found)
    else:
        _show(found)
    if found.trouble:
        raise ModelUnavailable(found.trouble)


def _show(found: "Inventory") -> None:
    if not found.versions:
        typer.echo(f"no version in {found.model_repo}: `headrace publish DIR` makes the first")
        return
    table = Table("version", "served", "trained", "published", "metrics", "models", box=None)
    for one in found.versions:
        served = "?" if one.served is None else "yes" if one.served else ""
        metrics = ", ".join(f"{name} {value:g}" for name, value in one.metrics.items())
        times = (escape(one.trained_at or "?"), escape(one.published_at or "?"))
        table.add_row(str(one.version), served, *times, escape(metrics), ", ".join(one.models))
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
