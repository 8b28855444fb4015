"""What a long run came to, as a page, a picture and JSON."""

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.results_page import write_results
from benchmarks.soak.measuring import SETTLING, Soaked, held_throughout, settled, whole
from benchmarks.soak.shop import NEW_ITEMS, UNKNOWN_SHARE
from trainer.evaluation.drawing import save_svg


def write(found: Soaked, folder: Path) -> Path:
    """Write `soak.json`, `soak.svg` and `soak.md`; the page's path."""
    page = write_results(found, _page(found), folder, "soak")
    save_svg(_drawn(found), folder / "soak.svg")
    return page


def _page(found: Soaked) -> str:
    counted = settled(found.samples) or found.samples  # of a load that has ended before: as it was
    first, last = counted[0], counted[-1]
    rows = "\n".join(
        f"| {name}, MB | {first.memory_mb[name]:,.0f} | {last.memory_mb[name]:,.0f} | {_grown(found, f'{name}, MB')} |"
        for name in held_throughout(counted)
    )
    return f"""# A long time under load

    {found.command}

{found.machine.sentence()}
One worker, {found.shoppers:,} shoppers whose rows are as long as they get, {found.items:,} items, {NEW_ITEMS:,} of them
unknown to the version; {UNKNOWN_SHARE:.0%} of all item ids are of no catalogue, each another one, and every event
brings a context value that never comes again. {found.rate:,.0f} events a second, which is {found.percent:g} % of what
the worker does from a backlog, for {found.samples[-1].seconds / 60:.0f} minutes; in the first {SETTLING:.0%} of them it
settles.
After every 2,000 events other shoppers are the busy ones. The shop's clock runs fast: hours of demand close every few
seconds. Growth is the median slope between the means of ten equal parts (Sen 1968) with its 99 % interval; what several
processes share is counted in parts (PSS).
{_kept_up(found)} {_verdict(found)}

![Memory and latency over time](soak.svg)

| | at first | at the end | growth |
|---|---|---|---|
{rows}
| rows in the store | {first.rows:,} | {last.rows:,} | {_grown(found, "rows in the store")} |
| events that wait | {first.behind:,} | {last.behind:,} | |
| worker, file descriptors | {first.files} | {last.files} | {_grown(found, "worker, file descriptors")} |
| worker, threads | {first.threads} | {last.threads} | {_grown(found, "worker, threads")} |
{_latency(found)}"""


def _latency(found: Soaked) -> str:
    minutes = whole(found.minutes) or found.minutes
    if not minutes:
        return ""
    begun, end = minutes[0], minutes[-1]
    return f"""| p50, ms | {begun.p50:g} | {end.p50:g} | {_grown(found, "p50, ms")} |
| p99, ms | {begun.p99:g} | {end.p99:g} | {_grown(found, "p99, ms")} |
"""


def _verdict(found: Soaked) -> str:
    if not found.growth:
        return ""
    if found.grown:
        return f"**It grew**: {', '.join(found.grown)}."
    return "The worker, the models' processes and the store grew by nothing that this run can tell from nothing."


def _grown(found: Soaked, what: str) -> str:
    return str(found.growth.get(what, "unknown: too short"))


def _kept_up(found: Soaked) -> str:
    if found.kept_up:
        return "It kept up."
    return "**It did not keep up**: the load ended when a minute's events waited."


def _drawn(found: Soaked) -> Figure:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    memory, latency = figure.subplots(1, 2)
    counted, minutes = settled(found.samples) or found.samples, whole(found.minutes) or found.minutes
    for name in held_throughout(counted):
        memory.plot([s.seconds / 60 for s in counted], [s.memory_mb[name] for s in counted], label=name)
    memory.set(xlabel="minutes", ylabel="MB", ylim=(0, None))
    for quantile in ("p50", "p99"):
        latency.plot([m.minute for m in minutes], [getattr(m, quantile) for m in minutes], label=quantile)
    latency.set(xlabel="minutes", ylabel="ms from event to recommendation", ylim=(0, None))
    for axes in (memory, latency):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7)
    return figure
