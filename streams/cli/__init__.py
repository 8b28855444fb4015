"""`headrace …`: one file a command group, registered here."""

import sys

import typer

from streams.cli import (
    bench,
    dead_letters,
    demand,
    demo,
    evaluate,
    evaluate_ctr,
    evaluate_demand,
    evaluate_diversity,
    evaluate_lists,
    evaluate_next_item,
    evaluate_reasons,
    evaluate_text,
    features,
    finetune,
    finetune_multitask,
    models,
    pretrain,
    rebuild,
    recordings,
    search,
    stack,
    topics,
    traffic,
    worker,
)
from streams.cli.extras import advice
from streams.cli.output import complain
from streams.errors import HeadraceError, StackError

app = typer.Typer(
    name="headrace",
    help="Recommendations, CTR scores and demand alerts from a shop's Kafka clickstream.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (
    stack,
    topics,
    worker,
    recordings,
    traffic,
    dead_letters,
    features,
    rebuild,
    models,
    pretrain,
    search,
    evaluate,
    evaluate_ctr,
    evaluate_demand,
    evaluate_diversity,
    evaluate_lists,
    evaluate_next_item,
    evaluate_reasons,
    evaluate_text,
    finetune,
    finetune_multitask,
    demand,
    bench,
    demo,
):
    group.register(app)


def main() -> None:
    """Run the command line; every error of ours is one line and its exit code, and so is a missing extra."""
    try:
        app()
    except HeadraceError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        said = advice(error.name, sys.argv[1:])
        if said is None:
            raise
        complain(said)
        sys.exit(StackError.exit_code)
    except OSError as error:
        if error.filename is None:
            raise
        complain(f"{error.filename}: {error.strerror}")
        sys.exit(HeadraceError.exit_code)
