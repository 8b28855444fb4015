"""`headrace …`: one file a command group, registered here."""

import sys

import typer

from headrace_cli import bench, demand
from headrace_cli.evaluate import ctr as evaluate_ctr
from headrace_cli.evaluate import demand as evaluate_demand
from headrace_cli.evaluate import diversity as evaluate_diversity
from headrace_cli.evaluate import group as evaluate
from headrace_cli.evaluate import lists as evaluate_lists
from headrace_cli.evaluate import next_item as evaluate_next_item
from headrace_cli.evaluate import reasons as evaluate_reasons
from headrace_cli.evaluate import text as evaluate_text
from headrace_cli.models import finetune, finetune_multitask, models, pretrain, search, versions
from headrace_cli.shell.command_line import run
from headrace_cli.stack import demo, rebuild, stack, status, worker
from headrace_cli.traffic import dead_letters, features, import_csv, recordings, topics, traffic

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
    versions,
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
