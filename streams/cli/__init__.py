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
    import_csv,
    model_versions,
    models,
    pretrain,
    rebuild,
    recordings,
    search,
    stack,
    status,
    topics,
    traffic,
    worker,
)
from streams.cli.command_line import run

app = typer.Typer(
    name="headrace",
    help="Recommendations, CTR scores and demand alerts from a shop's Kafka clickstream.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (
    stack,
    status,
    topics,
    worker,
    recordings,
    import_csv,
    traffic,
    dead_letters,
    features,
    rebuild,
    model_versions,
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
    """Run the command line of this process."""
    run(app, sys.argv[1:])
