"""Latency and CPU of all contestants at the same rates, in events/s.

A rate in percent of what each contestant does by itself is another one for each of them: who is slower is asked for
less. Here all are sent the same events at the same rates, so that figures of one round can be held against each other.
"""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Final

from benchmarks.race.contestants import Contestant
from benchmarks.race.environment import Ground
from benchmarks.race.measuring import SteadyLoad, measure_latency, work_off
from benchmarks.race.workload import Parts
from headrace.errors import UsageError
from headrace.recording.reading import Record

SINGLE_RATE: Final = 50
"""At so many events/s each event is a batch of its own."""
RATES: Final = (1_000, 2_000)
WARM_UP_S: Final = 5.0
LOAD_S: Final = 20.0
_WARM_UP: Final = 8_000
_FASTEST: Final = 100_000

AtRates = dict[str, dict[str, list[SteadyLoad]]]
"""Contestant → rate, events/s → one of each round."""


def rates_of(text: str) -> list[int]:
    """Rates from text such as `1000,2000`, events/s, each once and in order.

    Raises:
        UsageError: one is no number from 1 to 100,000.
    """
    try:
        found = sorted({int(part) for part in text.split(",")})
    except ValueError:
        found = []
    if not found or not 1 <= found[0] <= found[-1] <= _FASTEST:
        raise UsageError(f"--rates {text}: give events a second, 1 to {_FASTEST}, such as 1000,2000")
    return found


def measure_at_rates(
    here: Ground,
    contestants: Sequence[Contestant],
    rates: Sequence[int],
    turns: int,
    parts: Parts,
    on_progress: Callable[[str], None],
) -> AtRates:
    """Each contestant at each rate, in as many rounds as turns; every other round in the other order."""
    found: AtRates = {one.name: {str(rate): [] for rate in rates} for one in contestants}
    for turn in range(turns):
        warm_up = parts.part(_WARM_UP)
        events = {rate: parts.part(int(rate * (WARM_UP_S + LOAD_S)), 1000 / rate) for rate in rates}
        for contestant in contestants if turn % 2 == 0 else contestants[::-1]:
            on_progress(f"{contestant.title}, at the same rates, turn {turn + 1} of {turns}")
            for rate, measured in _measure(here, contestant, warm_up, events).items():
                on_progress(f"{contestant.title} at {rate} events/s: {measured.latency_ms} ms")
                found[contestant.name][str(rate)].append(measured)
    return found


def _measure(
    here: Ground, contestant: Contestant, warm_up: Sequence[Record], events: dict[int, list[Record]]
) -> dict[int, SteadyLoad]:
    with here.running(contestant) as running:
        work_off(contestant, running, [], warm_up)
        return {
            rate: measure_latency(contestant, running, part, rate, int(rate * WARM_UP_S))
            for rate, part in events.items()
        }


def latency_at(found: AtRates) -> dict[str, dict[str, dict[str, float]]]:
    """Rate → contestant → p50 and p99, ms, medians of the rounds."""
    rates = sorted({rate for by_rate in found.values() for rate in by_rate}, key=int)
    return {
        rate: {
            name: {quantile: median(one.latency_ms[quantile] for one in by_rate[rate]) for quantile in ("p50", "p99")}
            for name, by_rate in found.items()
            if by_rate.get(rate)
        }
        for rate in rates
    }


def worker_cpu(rounds: Sequence[SteadyLoad]) -> float:
    """CPU seconds of the worker's processes for 1,000 events, median of the rounds."""
    return round(median(one.cpu_ms_per_event["worker"] for one in rounds), 4)


def ratio(mine: Sequence[SteadyLoad], other: Sequence[SteadyLoad], value: Callable[[SteadyLoad], float]) -> float:
    """How many times a value is another contestant's: the median of the rounds' ratios."""
    return median(value(a) / value(b) for a, b in zip(mine, other, strict=True))
