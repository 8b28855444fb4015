"""Measurements beyond accuracy as tables: for a terminal, and as Markdown for cards and results."""

from collections.abc import Iterator, Mapping

from rich.table import Table

from trainer.evaluation.lists.beyond_accuracy import BeyondAccuracy, Slice


def beyond_table(models: Mapping[str, BeyondAccuracy]) -> Table:
    """Figures down, models across; all of them measured on the same pairs."""
    table = Table(title="Beyond accuracy", title_justify="left")
    table.add_column("")
    for name in models:
        table.add_column(name, justify="right")
    for label, *cells in _rows(list(models.values())):
        table.add_row(label, *cells)
    return table


def beyond_markdown(models: Mapping[str, BeyondAccuracy]) -> str:
    """The same as a Markdown table."""
    head = ["| beyond accuracy | " + " | ".join(models) + " |", "|---" * (len(models) + 1) + "|"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in _rows(list(models.values())))])


def _rows(models: list[BeyondAccuracy]) -> Iterator[list[str]]:
    if not models:
        return
    first = models[0]
    yield ["catalogue coverage", *(f"{m.coverage:.1%}" for m in models)]
    yield ["Gini of exposure", *(f"{m.gini:.3f}" for m in models)]
    yield ["novelty, bits", *(f"{m.novelty:.2f}" for m in models)]
    yield [f"intra-list diversity of {first.alike_by}", *(f"{m.diversity:.3f}" for m in models)]
    for what, column in (("item", [m.by_popularity for m in models]), ("shopper", [m.by_activity for m in models])):
        for slices in zip(*column, strict=True):
            yield _slice_row(what, first.k, list(slices))


def _slice_row(what: str, k: int, slices: list[Slice]) -> list[str]:
    label = f"HR@{k} / NDCG@{k}, {what} {slices[0].name} ({slices[0].pairs:,})"
    return [label, *(f"{s.hit:.4f} / {s.ndcg:.4f}" if s.pairs else "-" for s in slices)]
