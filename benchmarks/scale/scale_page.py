"""How cost grows, as a page and JSON."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.race.measuring import Backlog
from benchmarks.results_page import write_results
from benchmarks.scale.measuring import PARTITIONS, Scaled
from benchmarks.scale.rows import Stored, StoreSize

_SERVERS = ("worker", "triton", "kafka", "redis")


def write(found: Scaled, folder: Path) -> Path:
    """Write `scale.json` and `scale.md`; the page's path."""
    return write_results(found, _page(found), folder, "scale")


def _page(found: Scaled) -> str:
    one = found.workers["1"].events_per_second
    return f"""# How cost grows

    {found.command}

{found.machine.sentence()}
{found.size.events:,} events of {found.size.shoppers:,} shoppers over {found.size.items:,} items from a backlog, with
the trained model. How cost grows with items is in [the model's page](model.md): the pipeline's own does not.

## With workers, {PARTITIONS} partitions
Everything shares {found.machine.cores} cores, so more workers take from Triton, Kafka and Valkey what they use.

{_workers(found.workers, one)}
## With the length of the stream
Quarters of a stream, one after the other, one worker.

{_parts(found.parts)}
## With shoppers in the store
Each with 50 events; a batch of 512 of them, drawn at random, read and written behind its fences, on disk when it
returns.

{_users(found.users)}
## With history
Valkey's memory for one shopper: key, fences, the hashes of the last 256 event ids, features.

{_history(found.history)}"""


def _workers(workers: dict[str, Backlog], one: float) -> str:
    lines = [
        "| workers | events/s | against one | cores used: workers | Triton | Kafka | Valkey | workers' MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for number, done in workers.items():
        cores = " | ".join(f"{done.cpu_ms_per_event[s] * done.events_per_second / 1000:.2f}" for s in _SERVERS)
        rate = done.events_per_second
        lines.append(f"| {number} | {rate:,.0f} | {rate / one:.2f} x | {cores} | {done.memory_mb['worker']} |")
    return "\n".join(lines) + "\n"


def _parts(parts: Sequence[Backlog]) -> str:
    lines = ["| quarter | events/s | worker's CPU s for 1,000 events | worker MB |", "|---|---|---|---|"]
    for number, done in enumerate(parts, start=1):
        cpu, memory = done.cpu_ms_per_event["worker"], done.memory_mb["worker"]
        lines.append(f"| {number} | {done.events_per_second:,.0f} | {cpu:.3f} | {memory} |")
    return "\n".join(lines) + "\n"


def _users(users: Sequence[Stored]) -> str:
    lines = ["| shoppers | read, ms | write, ms | Valkey MB |", "|---|---|---|---|"]
    lines += [f"| {one.users:,} | {one.read_ms} | {one.write_ms} | {one.memory_mb:,} |" for one in users]
    return "\n".join(lines) + "\n"


def _history(history: Sequence[StoreSize]) -> str:
    lines = ["| events | bytes | of which packed features |", "|---|---|---|"]
    lines += [f"| {one.events} | {one.bytes:,} | {one.packed:,} |" for one in history]
    return "\n".join(lines) + "\n"
