"""How much data each head needs: shops of more and more shoppers, trained on as they come.

    python -m benchmarks.data_needed [--users 5,15,50,150,500] [--seeds 3]

`headrace simulate --users U --items 200 --days 21 --seed S` and `headrace train`, all else as it comes. Each head is
held against what needs no learning, on the stream's last tenth: next items against what is popular, click rates against
the items' average rates, demand against a constant rate. A head that does no better has too little to learn from.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Final

from msgspec import Struct

from benchmarks.machine import Machine, machine
from benchmarks.results_page import write_results
from headrace.arrays import DEMAND_SPAN
from streams.recordings.simulation.simulate import Plan, simulate
from trainer.tracking.card import Metrics
from trainer.train import train

_HOUR_MS: Final = 3_600_000
_ROWS: Final = {
    "Recall@20 of the next item": ("recall", "popular"),
    "click log loss": ("log_loss", "item_rates"),
    "quantile loss of demand": ("quantile_loss", "constant"),
}


class Sized(Struct, frozen=True):
    """One training; a head's figures are None where there was too little to fit it at all."""

    users: int
    seed: int
    events: int
    clicked_rows: int
    recall: float
    popular: float
    log_loss: float | None
    item_rates: float | None
    quantile_loss: float | None
    constant: float | None


class Found(Struct, frozen=True):
    """All trainings."""

    machine: Machine
    command: str
    trained: list[Sized]


def main() -> None:
    """Simulate, train, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", default="5,15,50,150,500")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    options = parser.parse_args()
    command = f"python -m benchmarks.data_needed --users {options.users} --seeds {options.seeds}"
    done: list[Sized] = []
    for users in map(int, options.users.split(",")):
        for seed in range(1, 1 + options.seeds):
            done.append(_train(users, seed))
            found = Found(machine(), command, done)
            write_results(found, _page(found), options.out, "data_needed")


def _train(users: int, seed: int) -> Sized:
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "shop.jsonl"
        simulate(Plan(users=users, seed=seed), stream)
        metrics = train(
            stream,
            Path(folder) / "model",
            window_ms=_HOUR_MS,
            horizon=DEMAND_SPAN,
            on_progress=lambda *_: None,
            seed=seed,
        )
    assert metrics is not None, "one process trains"
    return _sized(users, seed, metrics)


def _sized(users: int, seed: int, metrics: Metrics) -> Sized:
    click, demand, recall = metrics.click, metrics.demand, metrics.recall_at_20
    return Sized(
        users,
        seed,
        metrics.events,
        click.rows if click else 0,
        recall.model,
        max(recall.popular, recall.popular_lately),
        click.log_loss if click else None,
        click.item_rate_log_loss if click else None,
        demand["quantile_loss"] if demand else None,
        demand["quantile_loss_constant"] if demand else None,
    )


def _page(found: Found) -> str:
    about = (__doc__ or "").split("\n\n", 2)[2].strip()
    sizes = sorted({one.users for one in found.trained})
    rows = "\n".join(_row([one for one in found.trained if one.users == users]) for users in sizes)
    names = " | ".join(f"{name}; without learning" for name in _ROWS)
    return f"""# How much data is enough

`{found.command}`

{about}

{found.machine.sentence()} Means over seeds.

| shoppers | events | items shown | {names} |
|---|---|---|{"---|" * len(_ROWS)}
{rows}
"""


def _row(trained: Sequence[Sized]) -> str:
    counts = f"{mean(t.events for t in trained):,.0f} | {mean(t.clicked_rows for t in trained):,.0f}"
    return f"| {trained[0].users} | {counts} | {' | '.join(_pair(trained, *names) for names in _ROWS.values())} |"


def _pair(trained: Sequence[Sized], ours: str, theirs: str) -> str:
    pairs = [(getattr(t, ours), getattr(t, theirs)) for t in trained]
    if any(value is None for pair in pairs for value in pair):
        return "not fitted"
    return "; ".join(f"{mean(column):.3f}" for column in zip(*pairs, strict=True))


if __name__ == "__main__":
    main()
