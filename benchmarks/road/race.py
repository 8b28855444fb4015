"""The race: every contestant in its turn, with the trained model and with the null model."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from statistics import median
from typing import Final
from zlib import crc32

from msgspec import Struct

from benchmarks.machine import Machine, machine
from benchmarks.road import workload
from benchmarks.road.contestants import CONTESTANTS, Contestant
from benchmarks.road.ground import Ground, ground
from benchmarks.road.measuring import Backlog, Load, load, work_off
from benchmarks.road.null_model import make_null
from benchmarks.road.workload import Size
from streams.recordings.reading import Record
from streams.recordings.writing import RecordingWriter
from streams.settings import load_settings
from streams.topics import Topic
from trainer.train import train

LOADS: Final = (30, 50, 70, 90)
"""Steady rates, in percent of what the contestant does from a backlog."""
_WARM_UP: Final = 4_000
_FIRST: Final = 30_000
"""Events that nobody is measured by."""
_LOAD_WARM_UP_S: Final = 5.0
_LOAD_S: Final = 20.0
_LEARNT_FROM: Final = 4
_FAST: Final = ("headrace", "apart", "handwritten")
"""Whose latency is measured, and who runs with the null model as well."""

Tell = Callable[[str], None]


class Raced(Struct):
    """What one contestant did.

    Attributes:
        events_per_second: median of its turns.
        turns: each of them.
    """

    title: str
    events_per_second: float
    turns: list[Backlog]


class Race(Struct):
    """All that was measured.

    Attributes:
        contestants: with the trained model.
        null_model: the same road with a model that costs nothing.
        latency: contestant → percent of its own rate → latency, the shop's clock going as the real one does.
        hours_close: contestant → latency at 70 % with the backlog's clock, by which an hour of demand closes every few
            seconds.
    """

    command: str
    machine: Machine
    seed: int
    size: Size
    contestants: dict[str, Raced]
    null_model: dict[str, Raced]
    latency: dict[str, dict[str, Load]]
    hours_close: dict[str, Load]


def race(names: Sequence[str], size: Size, seed: int, turns: int, command: str, tell: Tell) -> Race:
    """Run it; a trained model of the same size and seed is used again."""
    found = Race(command, machine(), seed, size, {}, {}, {}, {})
    chosen = [CONTESTANTS[name] for name in names]
    with ground(lambda *_: None) as here:
        model, null = models(here.home, size, seed, tell)
        tell("sending the catalogue")
        here.send(workload.catalogue(size, seed), lambda *_: None)
        stream = list(workload.events(size, seed))
        warm_up = list(workload.events(size._replace(events=_WARM_UP), seed + 1))
        here.publish(model)
        _warm_servers(here, warm_up, stream[:_FIRST], tell)
        found.contestants = _in_turns(here, chosen, turns, warm_up, stream, tell)
        for contestant in chosen:
            if contestant.name in _FAST:
                rate = found.contestants[contestant.name].events_per_second
                found.latency[contestant.name] = _loads(here, contestant, rate, size, seed, tell)
                found.hours_close[contestant.name] = _load(here, contestant, rate * 0.7, stream, tell)
        here.publish(null)
        fast = [contestant for contestant in chosen if contestant.name in _FAST]
        found.null_model = _in_turns(here, fast, turns, warm_up, stream, lambda text: tell(f"null model, {text}"))
    return found


def _warm_servers(here: Ground, warm_up: Sequence[Record], events: Sequence[Record], tell: Tell) -> None:
    """Let Kafka's Java compile what it needs: whoever came first would pay for it."""
    for name in _FAST:
        tell(f"warming the servers: {CONTESTANTS[name].title}")
        with here.running(CONTESTANTS[name]) as running:
            work_off(CONTESTANTS[name], running, warm_up, events)


def _in_turns(
    here: Ground,
    contestants: Iterable[Contestant],
    turns: int,
    warm_up: Sequence[Record],
    stream: Sequence[Record],
    tell: Tell,
) -> dict[str, Raced]:
    found: dict[str, list[Backlog]] = {contestant.name: [] for contestant in contestants}
    for turn in range(turns):
        for name, done_before in found.items():
            contestant = CONTESTANTS[name]
            tell(f"{contestant.title}, turn {turn + 1} of {turns}")
            events = stream[: contestant.events]
            with here.running(contestant) as running:
                done = work_off(contestant, running, warm_up[: len(events) // 10], events)
            tell(f"{contestant.title}: {done.events_per_second:,.0f} events/s")
            done_before.append(done)
    return {
        name: Raced(CONTESTANTS[name].title, median(done.events_per_second for done in all_turns), all_turns)
        for name, all_turns in found.items()
    }


def _loads(here: Ground, contestant: Contestant, full: float, size: Size, seed: int, tell: Tell) -> dict[str, Load]:
    """Latency at each load; an event's time is when it is due, as in a shop."""
    found: dict[str, Load] = {}
    for percent in LOADS:
        rate = full * percent / 100
        events = workload.events(size._replace(events=_due(rate)), seed, ms_an_event=1000 / rate)
        found[str(percent)] = _load(here, contestant, rate, list(events), tell)
    return found


def _load(here: Ground, contestant: Contestant, rate: float, stream: Sequence[Record], tell: Tell) -> Load:
    with here.running(contestant) as running:
        found = load(contestant, running, stream[: _due(rate)], rate, int(rate * _LOAD_WARM_UP_S))
    tell(f"{contestant.title} at {rate:,.0f} events/s: {found.latency_ms} ms")
    return found


def _due(rate: float) -> int:
    return int(rate * (_LOAD_WARM_UP_S + _LOAD_S))


def models(home: Path, size: Size, seed: int, tell: Tell) -> tuple[Path, Path]:
    """The trained model's folder and the null model's; trained anew where the code that makes or serves it is another.

    A quarter of the shoppers is enough to learn from: what is measured is what the model costs, not how good it is.
    """
    folder = home / f"road-{size.events}-{size.shoppers}-{size.items}-{seed}"
    model, null = folder / "model", folder / "null"
    whole, code = folder / "whole", _code()
    if not whole.exists() or whole.read_text() != code:
        tell("training a model on the workload, once for this size and seed")
        folder.mkdir(parents=True, exist_ok=True)
        stream = folder / "stream.jsonl"
        with RecordingWriter(stream) as writer:
            for record in (*workload.catalogue(size, seed), *workload.events(size, seed)):
                if record.topic == Topic.ITEMS or crc32((record.key or "").encode()) % _LEARNT_FROM == 0:
                    writer.write(record, trusted=True)
        mine = load_settings()
        train(stream, model, window_ms=mine.window, horizon=mine.horizon, tell=lambda *_: None, seed=seed)
        whole.write_text(code)
    make_null(model, null)
    return model, null


def _code() -> str:
    """A digest of what trains, exports and serves: a model folder holds the serving code of its day."""
    root, digest = Path(__file__).parents[2], sha256()
    for path in sorted([*root.glob("trainer/**/*.py"), *root.glob("model_repo/**/*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()
