"""`headrace topics create`: the contract's topics, on whatever cluster the settings name."""

import typer

from streams.cli.output import JsonFlag, print_json
from streams.errors import CheckFailed
from streams.settings import settings

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
    from streams.topic_admin import ensure_topics
    from streams.topics import public_topics

    report = ensure_topics(settings().kafka_connection, public_topics(settings()))
    if as_json:
        print_json(report._asdict())
    else:
        typer.echo(f"created {len(report.created)}, already there {len(report.existing)}")
    if report.mismatches:
        raise CheckFailed("; ".join(report.mismatches) + ". Change it with the cluster's own tools.")
