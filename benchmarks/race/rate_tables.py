"""What the race's page says of all contestants at the same rates, and of what their workers cost."""

from typing import Any, Final

from benchmarks.race.against import BEFORE
from benchmarks.race.at_rates import SINGLE_RATE, latency_at, ratio, worker_cpu
from benchmarks.race.race import Race, Raced

_SINGLE: Final = str(SINGLE_RATE)
_LOOP: Final = "handwritten"
_NO_FIGURE: Final = "–"


def at_rates_table(found: Race) -> str:
    """Latency by rate, and its p99 against the hand-written loop's; nothing where nobody ran."""
    if not found.at_rates:
        return ""
    lines = [
        "## Latency at the same rates",
        "Milliseconds as above, but all are sent the same events at the same rate, by a shop's clock. Medians of the "
        "rounds;\n"
        '"against the loop" is the median of the ratios of p99 within a round. Who cannot keep up with a rate falls '
        "behind more\nand more, and its latency says only that.\n",
        "| events/s | | p50 | p99 | p99 against the loop | events a batch |",
        "|---|---|---|---|---|---|",
    ]
    for rate, by_name in latency_at(found.at_rates).items():
        for name, latency in by_name.items():
            title, batch = found.contestants[name].title, _events_per_batch(found, name, rate)
            against = _p99_against_loop(found, name, rate)
            lines.append(f"| {int(rate):,} | {title} | {latency['p50']:g} | {latency['p99']:g} | {against} | {batch} |")
    return "\n".join(lines) + "\n\n"


def _p99_against_loop(found: Race, name: str, rate: str) -> str:
    if _LOOP not in found.at_rates:
        return _NO_FIGURE
    mine, its = found.at_rates[name][rate], found.at_rates[_LOOP][rate]
    return f"{ratio(mine, its, lambda one: one.latency_ms['p99']):.2f} x"


def _events_per_batch(found: Race, name: str, rate: str) -> str:
    value = found.at_rates[name][rate][-1].events_per_batch
    return _NO_FIGURE if value is None else f"{value:g}"


def cpu_summary(found: Race) -> dict[str, dict[str, float]]:
    """CPU seconds of the worker for 1,000 events: from a backlog with either model, and of events one by one."""
    return {
        "trained": {name: raced.worker_cpu for name, raced in found.contestants.items()},
        "null": {name: raced.worker_cpu for name, raced in found.null_model.items()},
        "single_event": {
            name: worker_cpu(by_rate[_SINGLE]) for name, by_rate in found.at_rates.items() if by_rate.get(_SINGLE)
        },
    }


def cpu_table(found: Race) -> str:
    """What each worker costs; beside it how many times as much Headrace takes, of one round."""
    costs: dict[str, Any] = cpu_summary(found)
    lines = [
        "## What the worker costs",
        "CPU seconds for 1,000 events, the same as milliseconds an event, of the worker with all of its processes: "
        "from a backlog\n"
        f"with either model, and at {SINGLE_RATE} events/s, where each event is a batch of its own. Medians of the "
        "rounds; in brackets how\n"
        "many times that Headrace with one worker takes, the median of the ratios within a round.\n",
        f"| | trained model | null model | {SINGLE_RATE} events/s |",
        "|---|---|---|---|",
    ]
    for name, raced in found.contestants.items():
        trained = _cost(raced.worker_cpu, _backlog_ratio(found.contestants, name))
        null = _cost(costs["null"].get(name), _backlog_ratio(found.null_model, name))
        single = _cost(costs["single_event"].get(name), _single_ratio(found, name))
        lines.append(f"| {raced.title} | {trained} | {null} | {single} |")
    return "\n".join(lines) + "\n\n"


def _cost(seconds: float | None, against: float | None) -> str:
    if seconds is None:
        return _NO_FIGURE
    return f"{seconds:.3f}" if against is None else f"{seconds:.3f} ({against:.2f} x)"


def _backlog_ratio(raced: dict[str, Raced], name: str) -> float | None:
    if name == "headrace" or not {"headrace", name} <= raced.keys():
        return None
    return raced["headrace"].cpu_against(raced[name])


def _single_ratio(found: Race, name: str) -> float | None:
    rounds = {one: by_rate.get(_SINGLE, []) for one, by_rate in found.at_rates.items()}
    if name == "headrace" or not rounds.get("headrace") or not rounds.get(name):
        return None
    return ratio(rounds["headrace"], rounds[name], lambda one: one.cpu_ms_per_event["worker"])


def rows_explained(found: Race) -> str:
    """What stands apart about the rows of another producer and of another checkout; nothing where they did not run."""
    sentences = ""
    if "crc32" in found.contestants:
        last = found.contestants["crc32"].turns[-1]
        sentences += (
            "\nWith a CRC32 producer (librdkafka's default partitioner) the worker forwards the events whose shopper "
            f"belongs to another\npartition: {last.rekeyed:,} of {last.events:,}. The others know no rule of "
            "partitions, so it costs them nothing."
        )
    if BEFORE in found.contestants:
        sentences += "\nThe other checkout's worker has the same servers, model and events."
    return sentences
