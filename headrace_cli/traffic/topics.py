"""`headrace topics`: those of the contract, on whatever cluster the settings name."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from headrace.errors import CheckFailed
from headrace.settings.model import settings
from streams.operations.console import JsonFlag, print_json

if TYPE_CHECKING:
    from infra.topics.check import Mismatch

_topics = typer.Typer(help="The contract's topics.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(_topics, name="topics")


@_topics.callback()
def topics() -> None:
    """The contract's topics."""


@_topics.command()
def create(as_json: JsonFlag = False) -> None:
    """Create the topics that are missing; report existing ones that would refuse or lose good records."""
    from headrace.topics import public_topics
    from infra.topics.admin import contract_mismatches, ensure_topics

    report = ensure_topics(settings().kafka_connection, public_topics(settings()))
    found = contract_mismatches(settings())
    if as_json:
        print_json({**report._asdict(), "mismatches": [str(mismatch) for mismatch in found]})
    else:
        typer.echo(f"created {len(report.created)}, already there {len(report.existing)}")
    _require_none(found)


@_topics.command()
def alter(as_json: JsonFlag = False) -> None:
    """Change the settings of existing topics that would refuse or lose good records."""
    from infra.topics import admin

    found = admin.contract_mismatches(settings())
    changes = [mismatch for mismatch in found if mismatch.value is not None]
    if changes:
        admin.alter(settings().kafka_connection, changes)
    lines = [f"{change.topic}: {change.setting} {change.found} → {change.value}" for change in changes]
    if as_json:
        print_json({"changed": lines})
    else:
        typer.echo("\n".join(lines) or "nothing to change")
    _require_none(admin.contract_mismatches(settings()))


def _require_none(found: "Sequence[Mismatch]") -> None:
    from infra.topics.check import sentence

    if found:
        raise CheckFailed(sentence(found, settings().kafka_address))
