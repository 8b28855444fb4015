"""`headrace evaluate …`: train on one part of a data set, score the other once, print the figures."""

import typer

evaluations = typer.Typer(no_args_is_help=True, help="Train on one part of a data set, score the rest once.")


def register(app: typer.Typer) -> None:
    """Add the command group."""
    app.add_typer(evaluations, name="evaluate")
