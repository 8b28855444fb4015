"""`headrace bench chaos`: replay after replay under faults, until the time is up.

Every second replay strikes Triton too: then less can be said of what comes out, see `traces.compare`.
"""

import time
from collections import Counter
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Final

from benchmarks.chaos.fault_injector import FaultInjector, OnProgress
from benchmarks.chaos.faults import endless
from benchmarks.chaos.servers import DURABLE, SERVERS, Servers
from benchmarks.chaos.traces import Verdict, compare
from benchmarks.machine import Machine, machine
from benchmarks.race.environment import ground
from headrace.settings.model import load_settings
from streams.recordings.simulation.simulate import Plan, simulate
from streams.testing import Stack
from trainer.train import train

_USERS: Final = 300
_LOADS: Final = {"HEADRACE_CHUNK": "8", "HEADRACE_METRICS_PORT": "0"}


class LongRun(Verdict, frozen=True, kw_only=True):
    """What a long run came to: the verdicts on its replays, summed, and how it was struck.

    Attributes:
        kills: faults that counted.
        by_step: the same, by how and where.
        replays: of the recording, each under faults and compared with the undisturbed one.
    """

    command: str
    machine: Machine
    records: int
    kills: int
    by_step: dict[str, int]
    replays: int
    seconds: float


def run(minutes: float, seed: int, command: str, on_progress: OnProgress) -> LongRun:
    """Strike workers for so many minutes, on a stack of its own."""
    random = Random(seed)
    began = time.monotonic()
    with ground(lambda *_: None) as here:
        folder = here.home / "chaos"
        folder.mkdir(parents=True, exist_ok=True)
        recording = folder / "shop.jsonl.gz"
        made = simulate(Plan(users=_USERS, items=40, days=6, anomalies=1, seed=seed), recording)
        here.publish(_trained(recording, folder, seed, on_progress))
        where = here.settings
        stack = Stack(where.kafka_address, where.redis_address, where.triton_address)
        injector = FaultInjector(stack, recording, folder, _LOADS, on_progress, Servers(where))
        on_progress("the undisturbed run")
        undisturbed = injector.run_undisturbed()
        fault_sequences = cycle((endless(random, DURABLE), endless(random, SERVERS)))
        verdicts: list[Verdict] = []
        until = time.monotonic() + minutes * 60
        while time.monotonic() < until:
            traces = injector.run_with_faults(next(fault_sequences))
            verdicts.append(compare(undisturbed, traces, without_model=len(verdicts) % 2 == 1))
            on_progress(f"{injector.kills.total()} kills, {verdicts[-1]}")
    return _summed(command, made.events, injector.kills, verdicts, time.monotonic() - began)


def _trained(recording: Path, folder: Path, seed: int, on_progress: OnProgress) -> Path:
    model, whole = folder / f"model-{seed}", folder / f"model-{seed}-whole"
    if not whole.exists():
        on_progress("training a model on the recording, once for this seed")
        mine = load_settings()
        train(recording, model, window_ms=mine.window, horizon=mine.horizon, on_progress=lambda *_: None, seed=seed)
        whole.touch()
    return model


def _summed(command: str, records: int, kills: Counter[str], verdicts: list[Verdict], seconds: float) -> LongRun:
    found = {name: sum(getattr(verdict, name) for verdict in verdicts) for name in Verdict.__struct_fields__}
    return LongRun(
        **found,
        command=command,
        machine=machine(),
        records=records,
        kills=kills.total(),
        by_step=dict(sorted(kills.items())),
        replays=len(verdicts),
        seconds=round(seconds, 1),
    )
