"""What outages cost, as a page and JSON."""

from pathlib import Path

from benchmarks.outage.losing import Loss
from benchmarks.outage.measuring import Outages
from benchmarks.results_page import write_results


def write(found: Outages, folder: Path) -> Path:
    """Write `outage.json` and `outage.md`; the page's path."""
    return write_results(found, _page(found), folder, "outage")


def _page(found: Outages) -> str:
    rows = "\n".join(
        f"| {name} | {one.requested:,} | {one.answered:.2%} | {one.in_time:.2%} ({one.in_time_otherwise:.2%}) "
        f"| {one.fallback_share:.1%} | {one.p99_ms:,.0f} "
        f"| {'never' if one.resumed_s is None else f'{one.resumed_s:.1f}'} "
        f"| {one.silence_s:.1f} |"
        for name, one in found.outages.items()
    )
    lost = "\n".join(_loss(name, one) for name, one in found.losses.items())
    last_lines = "\n".join(f"- {name}: `{one.words}`" for name, one in found.losses.items() if one.words)
    return f"""# What an outage costs

    {found.command}

{found.machine.sentence()}
{found.rate:g} events a second come in; after 15 s something is taken away, and brought back 15 s later (a killed worker
is not; a supervisor starts another). Looked at are the triggers and impressions appended from when it went until it
answered again. Silence is the longest time from one answer to the next of any partition; full answers are those that no
fallback gave.

| away | asked | answered | within 200 ms (before) | by a fallback | p99, ms | full again after, s | silence, s |
|---|---|---|---|---|---|---|---|
{rows}

A Triton that was stopped for so long does not outlive being woken: its Python backend ends in a lock of its shared
memory a few seconds later. Whoever supervises it has to start it again; here nobody does before the next row.

A server that starts takes the cores that workers and Kafka would have had on a machine this small.

## A store that loses rows
The worker has a Valkey and its replica behind one name. In the first row it waits for the replica
(`HEADRACE_DURABLE_REPLICAS=1`) and is still connected to the old primary when the replica takes its place. A torn row
does not hold every event up to its own fence: something was folded into a row that was lost.

| what happens | asked from then on | answered | the worker | rows of shoppers at the end | torn |
|---|---|---|---|---|---|
{lost}

Its last line:
{last_lines}
"""


def _loss(name: str, one: Loss) -> str:
    ended = "goes on" if one.ended_s is None else f"ends after {one.ended_s:.1f} s"
    return f"| {name} | {one.appended:,} | {one.answered:.2%} | {ended} | {one.rows:,} | {one.torn} |"
