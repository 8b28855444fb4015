"""The race: every contestant in its turn, with the trained model and with the null model.

The machine's speed drifts by half within minutes. So a ratio is of two turns of one round, and the rate that a load is
a percentage of is measured right before it. Short turns would lie nearer together. But Headrace counts items last: a
turn's end, one or two seconds which a stream that goes on does not have, was a tenth of a turn of 40,000 events.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Final
from zlib import crc32

from msgspec import Struct

from benchmarks.machine import Machine, machine
from benchmarks.race import workload
from benchmarks.race.against import BEFORE
from benchmarks.race.at_rates import LOAD_S, WARM_UP_S, AtRates, measure_at_rates
from benchmarks.race.contestants import CONTESTANTS, OWN, Contestant
from benchmarks.race.environment import Ground, Running, ground
from benchmarks.race.measuring import Backlog, SteadyLoad, measure_latency, work_off
from benchmarks.race.null_model import make_null
from benchmarks.race.workload import Parts, Size
from headrace.files.atomic import write_atomic
from headrace.recording.reading import Record
from headrace.recording.writing import RecordingWriter
from headrace.settings.model import load_settings
from headrace.topics import Topic
from trainer.train import train

LOADS: Final = (30, 50, 70, 90)
"""Steady rates, in percent of what the contestant does from a backlog."""
_WARM_UP: Final = 8_000
_FIRST: Final = 30_000
"""Events that nobody is measured by."""
_RATED: Final = 20_000
"""Events of the backlog that says what a contestant does at the time."""
_HOURS_CLOSE: Final = "hours close"
_TRAINED_ON: Final = 4
_FAST: Final = (*OWN, "handwritten", BEFORE)
"""Whose latency is measured, and who runs with the null model as well."""
_AT_RATES: Final = (*_FAST, "crc32")
"""Who runs at the same rates."""

OnProgress = Callable[[str], None]


class Raced(Struct):
    """What one contestant did.

    Attributes:
        events_per_second: median of its turns.
        turns: one of each round; of the slow ones in the first round only.
    """

    title: str
    events_per_second: float
    turns: list[Backlog]

    def against(self, other: "Raced") -> float:
        """How many times as fast as another: the median of the rounds in which both ran."""
        pairs = zip(self.turns, other.turns, strict=False)
        return median(mine.events_per_second / its.events_per_second for mine, its in pairs)

    @property
    def worker_cpu(self) -> float:
        """CPU seconds of the worker's processes for 1,000 events, median of the turns."""
        return median(done.cpu_ms_per_event["worker"] for done in self.turns)

    def cpu_against(self, other: "Raced") -> float:
        """How many times another's CPU time the worker takes: the median of the rounds in which both ran."""
        pairs = zip(self.turns, other.turns, strict=False)
        return median(mine.cpu_ms_per_event["worker"] / its.cpu_ms_per_event["worker"] for mine, its in pairs)


class Race(Struct):
    """All that was measured.

    Attributes:
        contestants: with the trained model.
        null_model: the same pipeline with a model that costs nothing.
        latency: contestant → percent of what it did right before → latency, the shop's clock going as the real one
            does.
        hours_close: contestant → latency at 70 % with the backlog's clock, by which an hour of demand closes every few
            seconds.
        at_rates: contestant → events/s, the same for all → one of each round.
    """

    command: str
    machine: Machine
    seed: int
    size: Size
    contestants: dict[str, Raced]
    null_model: dict[str, Raced]
    latency: dict[str, dict[str, SteadyLoad]]
    hours_close: dict[str, SteadyLoad]
    at_rates: AtRates = {}


def race(
    chosen: Sequence[Contestant],
    rates: Sequence[int],
    size: Size,
    seed: int,
    turns: int,
    command: str,
    on_progress: OnProgress,
) -> Race:
    """Run it; a trained model of the same size and seed is used again.

    Args:
        rates: events/s at which the fast ones run as well.
        turns: rounds; in each, every contestant works off as many events, which come after those of the round before.
    """
    found = Race(command, machine(), seed, size, {}, {}, {}, {})
    fast = [contestant for contestant in chosen if contestant.name in _FAST]
    with ground(lambda *_: None) as here:
        model, null = models(here.home, size, seed, on_progress)
        on_progress("sending the catalogue")
        here.send(workload.catalogue(size, seed), lambda *_: None)
        here.publish(model)
        _warm_servers(here, fast or [CONTESTANTS["headrace"]], Parts(size, seed), on_progress)
        found.contestants = _in_turns(here, chosen, turns, size, seed, on_progress)
        for contestant in fast:
            on_progress(f"latency: {contestant.title}")
            with here.running(contestant) as running:
                latencies = _latencies(contestant, running, Parts(size, seed), on_progress)
            found.hours_close[contestant.name] = latencies.pop(_HOURS_CLOSE)
            found.latency[contestant.name] = latencies
        same = [contestant for contestant in chosen if contestant.name in _AT_RATES]
        found.at_rates = measure_at_rates(here, same, rates, turns, Parts(size, seed), on_progress)
        here.publish(null)
        found.null_model = _in_turns(here, fast, turns, size, seed, lambda text: on_progress(f"null model, {text}"))
    return found


def _warm_servers(here: Ground, contestants: Sequence[Contestant], parts: Parts, on_progress: OnProgress) -> None:
    """Let Kafka's Java compile what it needs: whoever came first would pay for it."""
    for contestant in contestants:
        on_progress(f"warming the servers: {contestant.title}")
        with here.running(contestant) as running:
            work_off(contestant, running, parts.part(_WARM_UP), parts.part(_FIRST))


def _in_turns(
    here: Ground, contestants: Sequence[Contestant], turns: int, size: Size, seed: int, on_progress: OnProgress
) -> dict[str, Raced]:
    found: dict[str, list[Backlog]] = {contestant.name: [] for contestant in contestants}
    parts = Parts(size, seed)
    for turn in range(turns):
        warm_up, events = parts.part(_WARM_UP), parts.part(size.events)
        # Every other round goes the other way: who comes first in it has servers that have rested.
        for contestant in contestants if turn % 2 == 0 else contestants[::-1]:
            if contestant.events < size.events and turn > 0:
                continue
            on_progress(f"{contestant.title}, turn {turn + 1} of {turns}")
            done = _turn(here, contestant, warm_up, events)
            on_progress(f"{contestant.title}: {done.events_per_second:,.0f} events/s")
            found[contestant.name].append(done)
    return {
        one.name: Raced(one.title, median(done.events_per_second for done in found[one.name]), found[one.name])
        for one in contestants
    }


def _turn(here: Ground, contestant: Contestant, warm_up: Sequence[Record], events: Sequence[Record]) -> Backlog:
    most = contestant.events
    with here.running(contestant) as running:
        return work_off(contestant, running, warm_up[: most // 10], events[:most])


def _latencies(
    contestant: Contestant, running: Running, parts: Parts, on_progress: OnProgress
) -> dict[str, SteadyLoad]:
    """Latency at each load, and where hours close; else an event's time is when it is due, as in a shop."""
    work_off(contestant, running, [], parts.part(_WARM_UP))
    found: dict[str, SteadyLoad] = {}
    for name, percent in ({str(percent): percent for percent in LOADS} | {_HOURS_CLOSE: 70}).items():
        rate = work_off(contestant, running, [], parts.part(_RATED)).events_per_second * percent / 100
        count = int(rate * (WARM_UP_S + LOAD_S))
        events = parts.part(count) if name == _HOURS_CLOSE else parts.part(count, 1000 / rate)
        found[name] = measure_latency(contestant, running, events, rate, int(rate * WARM_UP_S))
        on_progress(f"{contestant.title} at {name}, {rate:,.0f} events/s: {found[name].latency_ms} ms")
    return found


def models(home: Path, size: Size, seed: int, on_progress: OnProgress) -> tuple[Path, Path]:
    """The trained model's folder and the null model's; trained anew where the code that makes or serves it is another.

    A quarter of the shoppers is enough to learn from: what is measured is what the model costs, not how good it is.
    """
    folder = home / f"road-{size.events}-{size.shoppers}-{size.items}-{seed}"
    model, null = folder / "model", folder / "null"
    whole, code = folder / "whole", _code()
    if not whole.exists() or whole.read_text() != code:
        on_progress("training a model on the workload, once for this size and seed")
        folder.mkdir(parents=True, exist_ok=True)
        stream = folder / "stream.jsonl"
        with RecordingWriter(stream) as writer:
            for record in (*workload.catalogue(size, seed), *workload.events(size, seed)):
                if record.topic == Topic.ITEMS or crc32((record.key or "").encode()) % _TRAINED_ON == 0:
                    writer.write(record, trusted=True)
        mine = load_settings()
        train(stream, model, window_ms=mine.window, horizon=mine.horizon, on_progress=lambda *_: None, seed=seed)
        write_atomic(whole, code)
    make_null(model, null)
    return model, null


def _code() -> str:
    """A digest of what trains, exports and serves: a model folder holds the serving code of its day."""
    root, digest = Path(__file__).parents[2], sha256()
    for path in sorted([*root.glob("trainer/**/*.py"), *root.glob("model_repo/**/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
