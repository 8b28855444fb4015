"""The curve of diversity against accuracy, as a table and as an SVG that is the same each time it is drawn."""

from pathlib import Path

from matplotlib.figure import Figure
from rich.table import Table

from trainer.evaluation.drawing import save_svg
from trainer.evaluation.lists.trade_off import TradeOff


def trade_off_table(curve: TradeOff) -> Table:
    """One row a setting."""
    title = f"{curve.moments:,} next wanted items from {curve.since} on, lists of 20"
    table = Table(title=title, title_justify="left")
    for name in ("diversity setting", "NDCG", "recall", "intra-list diversity", "coverage", "Gini", "novelty, bits"):
        table.add_column(name, justify="right")
    for p in curve.points:
        figures = (f"{p.ndcg:.4f}", f"{p.recall:.4f}", f"{p.diversity:.3f}", f"{p.coverage:.1%}")
        table.add_row(f"{p.diversity_setting:.1f}", *figures, f"{p.gini:.3f}", f"{p.novelty:.2f}")
    return table


def draw_trade_off(out: Path, curve: TradeOff) -> None:
    """Draw NDCG against intra-list diversity and against coverage; each point bears its setting.

    Raises:
        UsageError: the file cannot be written.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    ndcg = [p.ndcg for p in curve.points]
    for axes, name, values in (
        (left, "intra-list diversity", [p.diversity for p in curve.points]),
        (right, "catalogue coverage", [p.coverage for p in curve.points]),
    ):
        axes.plot(values, ndcg, "o-", color="0.3", markersize=4, linewidth=1)
        for point, x in zip(curve.points, values, strict=True):
            axes.annotate(f"{point.diversity_setting:g}", (x, point.ndcg), (4, 4), textcoords="offset points")
        axes.set(xlabel=name)
    left.set(ylabel="NDCG@20", ylim=(0, 1.1 * max(*ndcg, 1e-3)))
    save_svg(figure, out)
