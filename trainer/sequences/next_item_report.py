"""A next-item report for people: accuracy, then what lies beyond it."""

from rich.console import Console
from rich.table import Table

from trainer.evaluation.tables import beyond_table
from trainer.sequences.evaluate import NextItemReport


def print_report(report: NextItemReport) -> None:
    """Print the report to standard output."""
    console = Console()
    fits = {"strict": report.strict, "refit": report.refit, "popularity": report.popularity}
    table = Table(title=f"Next item, {report.tested:,} users, {report.items:,} items, all ranked", title_justify="left")
    table.add_column("")
    for name in (*fits, "strict, validation"):
        table.add_column(name, justify="right")
    for figure in report.strict:
        cells = [accuracies[figure] for accuracies in (*fits.values(), report.validation)]
        table.add_row(figure, *(f"{cell:.4f}" for cell in cells))
    console.print(table)
    console.print(beyond_table(report.beyond_accuracy))
    console.print(f"{report.epochs} epochs, seed {report.seed}, {report.device}, {report.seconds:.0f} s")
