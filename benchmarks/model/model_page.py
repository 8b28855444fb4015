"""The model's measurements as a page, a picture and JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from benchmarks.model.measuring import Case, Measured
from benchmarks.results_page import write_results
from trainer.evaluation.drawing import save_svg

_ON_PAPER: Final = 10_000_000
_BYTES_AN_ITEM: Final = 4 * 64


def write(found: Measured, folder: Path) -> Path:
    """Write `model.json`, `model.svg` and `model.md`; the page's path."""
    page = write_results(found, _page(found), folder, "model")
    save_svg(_drawn(found), folder / "model.svg")
    return page


def _page(found: Measured) -> str:
    return f"""# The served model, beside plain PyTorch

    {found.command}

{found.machine.sentence()}
One thread, in a process that keeps freed memory as the served one's does. Both have the same random weights (64 wide,
one block, two heads) and give the same scores and click rates to 1e-4, which is checked. The served one is what
Triton's Python backend calls, without Triton and gRPC around it; it also takes what a request brings along (withdrawn,
new and excluded items) and says for each item which events count.
Plain PyTorch calls the trained modules on padded histories, takes the newest state, multiplies it with all items, and
asks the click head for the best 20.

A square matrix multiply reaches {found.gflops:g} GFLOP/s here. The limit is what a row's products would take at that
speed, everything else free.

![Rows a second by batch, history and catalogue](model.svg)

## By batch
{_table(found.by_batch, found.gflops)}
## By history
{_table(found.by_history, found.gflops)}
## By catalogue
Exact: every item is scored, and the best are taken.

{_table(found.by_catalogue, found.gflops)}
On paper, {_ON_PAPER:,} items: {_on_paper(found.by_catalogue)}
"""


def _table(cases: Sequence[Case], gflops: float) -> str:
    lines = [
        "| shoppers | events | items | served, ms | plain, ms | served, rows/s | plain, rows/s | ratio | limit |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for c in cases:
        limit = 1000 * gflops / c.mflop
        lines.append(
            f"| {c.rows} | {c.events} | {c.items:,} | {c.served_ms:.2f} | {c.eager_ms:.2f} "
            f"| {_rate(c.rows, c.served_ms):,.0f} | {_rate(c.rows, c.eager_ms):,.0f} | {c.ratio:.2f} x | {limit:,.0f} |"
        )
    return "\n".join(lines) + "\n"


def _rate(rows: int, ms: float) -> float:
    return 1000 * rows / ms


def _on_paper(cases: Sequence[Case]) -> str:
    one = [case for case in cases if case.rows == 1]
    first, last = one[0], one[-1]
    slope = (last.served_ms - first.served_ms) / (last.items - first.items)
    ms = last.served_ms + slope * (_ON_PAPER - last.items)
    memory = _ON_PAPER * _BYTES_AN_ITEM / 1e9
    return f"{memory:.1f} GB of vectors, some {ms:,.0f} ms for one shopper if time goes on as from {first.items:,} on."


def _drawn(found: Measured) -> Figure:
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    parts = (("shoppers a request", found.by_batch), ("events of history", found.by_history))
    large = [case for case in found.by_catalogue if case.rows > 1]
    for place, (label, cases) in enumerate((*parts, ("items", large)), start=1):
        axes = figure.add_subplot(1, 3, place)
        x = [{"shoppers a request": c.rows, "events of history": c.events}.get(label, c.items) for c in cases]
        axes.plot(x, [_rate(c.rows, c.served_ms) for c in cases], marker="o", label="served")
        axes.plot(x, [_rate(c.rows, c.eager_ms) for c in cases], marker="o", label="plain PyTorch")
        axes.set(xlabel=label, xscale="log", yscale="log", ylabel="rows/s" if place == 1 else None)
        axes.grid(alpha=0.3)
    figure.axes[0].legend()
    return figure
