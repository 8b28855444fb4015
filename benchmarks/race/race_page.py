"""The race as a page, a picture and JSON."""

from pathlib import Path
from typing import Any

import msgspec
from matplotlib.figure import Figure

from benchmarks.race.at_rates import latency_at
from benchmarks.race.contestants import OWN
from benchmarks.race.measuring import SteadyLoad
from benchmarks.race.race import LOADS, Race, Raced
from benchmarks.race.rate_tables import at_rates_table, cpu_summary, cpu_table, rows_explained
from benchmarks.results_page import write_results
from trainer.evaluation.drawing import save_svg


def summary(found: Race) -> dict[str, Any]:
    """What `--json` prints: the contract's fields, then everything else."""
    own = found.latency.get("headrace", {})
    return {
        "contestants": {name: {"events_per_second": r.events_per_second} for name, r in found.contestants.items()},
        "latency_ms": {percent: measured.latency_ms for percent, measured in own.items()},
        "latency_ms_at": latency_at(found.at_rates),
        "worker_cpu_s_per_1000_events": cpu_summary(found),
        "null_model": {name: {"events_per_second": r.events_per_second} for name, r in found.null_model.items()},
        "measured": msgspec.to_builtins(found),
    }


def write(found: Race, folder: Path) -> Path:
    """Write `road.json`, `road.svg` and `road.md`; the page's path."""
    page = write_results(found, _page(found), folder, "road")
    save_svg(_drawn(found), folder / "road.svg")
    return page


def _page(found: Race) -> str:
    size = found.size
    return f"""# The pipeline, beside what a user would write

    {found.command}

{found.machine.sentence()}
{size.events:,} events of {size.shoppers:,} shoppers over {size.items:,} items: 60 % views, 20 % impressions of ten
items, 10 % clicks, 6 % carts, 4 % purchases. Each contestant in its turn, warm, from a backlog, until the last event is
answered and committed: as many rounds as turns, each of events that come after the last one's, every other one in the
other order.
Plain Faust gets 3,000 events and Quix Streams 6,000, in the first round. These two leave out demand, and the
hand-written loop leaves out fences, retries and restarts: see the head of each file in `benchmarks/race/contestants/`.
Rates are medians of the rounds. "Against it" is the median of the ratios within a round, since the machine's speed
drifts from one to the next. CPU, memory and steps are of the last round.{rows_explained(found)}

![Events a second, and latency by load](road.svg)

{_rates("With the trained model", found.contestants)}
{_rates("With a model that costs nothing", found.null_model)}
## Latency at a steady load
Milliseconds from append of an event to append of its answer; the load is in percent of what the contestant did with a
backlog right before. The shop's clock goes as the real one does. "Hours close" is the backlog's clock instead, by which
an hour of demand closes every few seconds, and hundreds of items are forecast each time.

{_latencies(found)}
{at_rates_table(found)}{cpu_table(found)}## Where a batch's time goes
Seconds of all batches by step, waiting included, and their share of the run: several batches are in flight at once, so
the shares add up to more than the whole.

{_steps(found)}"""


def _rates(title: str, raced: dict[str, Raced]) -> str:
    own = [raced[name] for name in OWN if name in raced]
    lines = [
        f"## {title}",
        f"| | events/s | Headrace against it: {', '.join(one.title.removeprefix('Headrace, ') for one in own)} "
        "| CPU s for 1,000 events: worker | Triton | Kafka | Valkey | worker MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in raced.values():
        last = one.turns[-1]
        cpu = " | ".join(f"{last.cpu_ms_per_event.get(n, 0.0):.3f}" for n in ("worker", "triton", "kafka", "redis"))
        ratio = ", ".join(f"{mine.against(one):.2f} x" for mine in own)
        lines.append(f"| {one.title} | {one.events_per_second:,.0f} | {ratio} | {cpu} | {last.memory_mb['worker']} |")
    return "\n".join(lines) + "\n"


def _latencies(found: Race) -> str:
    lines = ["| | load | events/s | p50 | p95 | p99 | p99.9 |", "|---|---|---|---|---|---|---|"]
    for name, by_percent in found.latency.items():
        for percent in map(str, LOADS):
            if percent in by_percent:
                lines.append(_latency(found.contestants[name].title, f"{percent} %", by_percent[percent]))
    for name, measured in found.hours_close.items():
        lines.append(_latency(found.contestants[name].title, "70 %, hours close", measured))
    return "\n".join(lines) + "\n"


def _latency(title: str, conditions: str, measured: SteadyLoad) -> str:
    values = " | ".join(f"{value:g}" for value in measured.latency_ms.values())
    return f"| {title} | {conditions} | {measured.rate:,.0f} | {values} |"


def _drawn(found: Race) -> Figure:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    rates, latency = figure.subplots(1, 2)
    raced = list(found.contestants.values())
    bars = rates.barh([one.title for one in raced], [one.events_per_second for one in raced])
    rates.bar_label(bars, fmt="{:,.0f}", padding=3)
    rates.set(xscale="log", xlabel="events/s, trained model")
    rates.invert_yaxis()
    rates.margins(x=0.2)
    for name, by_percent in found.latency.items():
        percents = sorted(by_percent, key=int)
        for quantile, style in (("p50", ":"), ("p99", "-")):
            line = [by_percent[percent].latency_ms[quantile] for percent in percents]
            colour = {"handwritten": "C1", "two": "C2"}.get(name, "C0")
            label = f"{found.contestants[name].title}, {quantile}"
            latency.plot([int(p) for p in percents], line, style, color=colour, marker="o", label=label)
    latency.set(xlabel="load, % of own rate", ylabel="ms", yscale="log")
    latency.grid(alpha=0.3)
    latency.legend(fontsize=7)
    return figure


def _steps(found: Race) -> str:
    lines = ["| step | trained model, s | share | null model, s | share |", "|---|---|---|---|---|"]
    turns = [raced["headrace"].turns[-1] for raced in (found.contestants, found.null_model) if "headrace" in raced]
    if not turns:
        return ""
    for step in sorted(turns[0].steps_s, key=lambda name: -turns[0].steps_s[name]):
        cells = [
            f"{turn.steps_s.get(step, 0.0):.2f} | {turn.steps_s.get(step, 0.0) / turn.seconds:.0%}" for turn in turns
        ]
        lines.append(f"| {step} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
