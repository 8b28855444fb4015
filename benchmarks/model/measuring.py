"""`headrace bench model`: rows a second by batch, history and catalogue, served and in plain PyTorch, in turns."""

import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Final

import torch
from msgspec import Struct
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import Machine, machine
from benchmarks.model.contestants import Models, models, requests
from headrace.arrays import HISTORY
from headrace.errors import CheckFailed

BATCHES: Final = (1, 8, 32, 64, 256)
HISTORIES: Final = (3, 10, 25, HISTORY)
CATALOGUES: Final = (10_000, 100_000, 1_000_000)
ITEMS: Final = 12_000
BATCH: Final = 64
_LARGE_BATCH: Final = 8
_TURNS: Final = 9
_LEAST_S: Final = 0.05
_SIDE: Final = 1_024
_SAME: Final = 1e-4


class Case(Struct):
    """One size of request, measured in turns.

    Attributes:
        rows, events, items: shoppers a request, events of each, items of the catalogue.
        served_ms, eager_ms: of one request, median.
        mflop: multiply-adds of one row, counted on the plain model, two each, in millions.
    """

    rows: int
    events: int
    items: int
    served_ms: float
    eager_ms: float
    mflop: float

    @property
    def ratio(self) -> float:
        """How many times as fast the served one is."""
        return self.eager_ms / self.served_ms


class Measured(Struct):
    """All cases.

    Attributes:
        gflops: of a square matrix multiply with one thread, what the machine can at most, in thousand millions.
    """

    command: str
    machine: Machine
    seed: int
    gflops: float
    by_batch: list[Case]
    by_history: list[Case]
    by_catalogue: list[Case]


def measure(seed: int, command: str, on_progress: Callable[[str], None]) -> Measured:
    """Measure with one thread, as an instance of the served model has.

    Raises:
        CheckFailed: the two do not recommend the same.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            small = models(ITEMS, seed)
            found = Measured(command, machine(), seed, _gflops(), [], [], [])
            found.by_batch = _cases(small, ((rows, HISTORY) for rows in BATCHES), seed, on_progress)
            found.by_history = _cases(small, ((BATCH, events) for events in HISTORIES), seed, on_progress)
            for items in CATALOGUES:
                sizes = ((rows, HISTORY) for rows in (1, _LARGE_BATCH))
                found.by_catalogue += _cases(models(items, seed), sizes, seed, on_progress)
    finally:
        torch.set_num_threads(before)
    return found


def _cases(both: Models, sizes: Iterable[tuple[int, int]], seed: int, on_progress: Callable[[str], None]) -> list[Case]:
    found: list[Case] = []
    for rows, events in sizes:
        found.append(_case(both, rows, events, seed))
        on_progress(
            f"{rows} shoppers, {events} events, {len(both.item_hash):,} items: {found[-1].ratio:.1f} x plain PyTorch"
        )
    return found


def _case(both: Models, rows: int, events: int, seed: int) -> Case:
    tensors = requests(both.item_hash, rows, events, seed)
    served, eager = both.served(tensors), both.eager(tensors)
    for name in ("rec_score", "rec_ctr"):
        if (gap := (served[name] - eager[name]).abs().max().item()) > _SAME:
            raise CheckFailed(f"the served model's {name} differs from the plain one's by {gap:.2g}")
    took: tuple[list[float], list[float]] = ([], [])
    for _ in range(_TURNS):
        for model, seconds in zip((both.served, both.eager), took, strict=True):
            seconds.append(_seconds(lambda model=model: model(tensors)))
    with FlopCounterMode(display=False) as counter:
        both.eager(tensors)
    served_ms, eager_ms = (round(1000 * median(seconds), 3) for seconds in took)
    mflop = round(counter.get_total_flops() / rows / 1e6, 2)
    return Case(rows, events, len(both.item_hash), served_ms, eager_ms, mflop)


def _seconds(call: Callable[[], object]) -> float:
    """Of one call, from as many as take a while."""
    began, calls = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < _LEAST_S or not calls:
        call()
        calls += 1
    return spent / calls


def _gflops() -> float:
    a, b = torch.randn(_SIDE, _SIDE), torch.randn(_SIDE, _SIDE)
    a @ b
    fastest = min(_seconds(lambda: a @ b) for _ in range(_TURNS))
    return round(2 * _SIDE**3 / fastest / 1e9, 1)
