"""What a long run came to, as a page, a picture and JSON."""

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.results_page import write_results
from benchmarks.soak.measuring import Soaked
from trainer.measure.drawing import save_svg


def write(found: Soaked, folder: Path) -> Path:
    """Write `soak.json`, `soak.svg` and `soak.md`; the page's path."""
    page = write_results(found, _page(found), folder, "soak")
    save_svg(_drawn(found), folder / "soak.svg")
    return page


def _page(found: Soaked) -> str:
    first, last = found.samples[len(found.samples) // 2], found.samples[-1]
    rows = "\n".join(
        f"| {name}, MB | {first.memory_mb[name]:,.0f} | {last.memory_mb[name]:,.0f} "
        f"| {found.growth[f'{name}, MB']:+.1%} |"
        for name in first.memory_mb
    )
    middle, end = found.minutes[len(found.minutes) // 2], found.minutes[-2]
    return f"""# A long time under load

    {found.command}

{found.machine.sentence()}
One worker of a shop most of whose shoppers have full histories, {found.rate:,.0f} events a second, which is
{found.percent:g} % of what it does from a backlog, for {found.samples[-1].seconds / 60:.0f} minutes. The workload is
the race's: its clock runs fast, so that hours of demand close every few seconds. In the first half rows kept in memory
and a row's windows fill up to their bounds; growth is that of a straight line through the second half.
{_kept_up(found)}

![Memory and latency over time](soak.svg)

| | half-way | at the end | growth |
|---|---|---|---|
{rows}
| events that wait | {first.behind:,} | {last.behind:,} | |
| worker, file descriptors | {first.files} | {last.files} | {found.growth["worker, file descriptors"]:+.1%} |
| worker, threads | {first.threads} | {last.threads} | {found.growth["worker, threads"]:+.1%} |
| p50, ms | {middle.p50:g} | {end.p50:g} | {found.growth["p50, ms"]:+.1%} |
| p99, ms | {middle.p99:g} | {end.p99:g} | {found.growth["p99, ms"]:+.1%} |
"""


def _kept_up(found: Soaked) -> str:
    if found.kept_up:
        return "It kept up."
    return "**It did not keep up**: the load ended when a minute's events waited."


def _drawn(found: Soaked) -> Figure:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    memory, latency = figure.subplots(1, 2)
    for name in found.samples[0].memory_mb:
        memory.plot([s.seconds / 60 for s in found.samples], [s.memory_mb[name] for s in found.samples], label=name)
    memory.set(xlabel="minutes", ylabel="resident MB", ylim=(0, None))
    for quantile in ("p50", "p99"):
        latency.plot([m.minute for m in found.minutes], [getattr(m, quantile) for m in found.minutes], label=quantile)
    latency.set(xlabel="minutes", ylabel="ms from event to recommendation", ylim=(0, None))
    for axes in (memory, latency):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    return figure
