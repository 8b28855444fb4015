"""Recall@20 on a month of Online Retail, held back, beside baselines that were tuned on the month before it.

    python -m benchmarks.online_retail.recall --out benchmarks/results/online_retail_recall

Trained on everything before the month. For each baseline the defaults and equally many settings drawn at random are
judged by Recall@20 on the month before, learnt from what came before that; the best are fitted anew to everything
before the month. `own items` is not among the baselines that must be beaten, but hard to beat.
`next_purchase`: after each purchase of the month that another follows, the next item bought must be among the 20; the
item just bought is excluded, for the baselines too. `next_basket`: before each basket whose shopper has a past, what
share of the basket is among the 20. Headrace's lists leave out what `HEADRACE_EXCLUDE=auto` does, of which its version
has learnt that this shop's customers buy again; the baselines may list all else. All
contestants see the same 50 events of history.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import torch

from headrace.files.atomic import write_atomic
from headrace.settings.model import settings
from streams.operations.console import progress
from streams.recordings.importing.online_retail import import_online_retail
from trainer.data.score_requests import Case
from trainer.data.shop import Shop, read_shop
from trainer.evaluation.baselines.tuning import CONTESTANTS, Contestant, best_items, tune
from trainer.evaluation.baselines.visits import wanted_before
from trainer.evaluation.lists.lists import Known, Measured, measure_lists
from trainer.evaluation.moments import basket_cases, next_item_cases
from trainer.evaluation.recall import known_before, recommend
from trainer.evaluation.tables import beyond_markdown
from trainer.progress import Stages
from trainer.publishing.serving import Trained
from trainer.train import train_shopper_model

_SOURCE: Final = "online_retail/online_retail_2010-12_2011-08.csv.xz"
_MACHINE: Final = "2 cores, x86-64 with AVX512-BF16, no GPU"
_TASKS: Final[dict[str, Callable[[Shop, int], list[Case]]]] = {
    "next_purchase": next_item_cases,
    "next_basket": basket_cases,
}


class Months(NamedTuple):
    """Edges in ms: the month that settings are chosen on, the month that is held back, and its end."""

    chosen: int
    held_back: int
    end: int


class Result(msgspec.Struct):
    """How a contestant does on the month held back, and what it was tuned to."""

    measured: Measured
    settings: str
    recall_when_chosen: float | None


def main() -> None:
    """Import, tune, train, measure, write OUT.json and OUT.md."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/online_retail_recall"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=24, help="settings tried for each baseline and task")
    parser.add_argument(
        "--month", type=lambda day: datetime.fromisoformat(day).replace(tzinfo=UTC), default="2011-08-01"
    )
    options = parser.parse_args()
    months = _months(options.month)
    with tempfile.TemporaryDirectory() as folder:
        before, everything = (_import(Path(folder), until) for until in (options.month, None))
    began = time.monotonic()
    with progress() as bar:
        trained, _ = train_shopper_model(before, None, torch.device("cpu"), options.seed, None, Stages(bar))
    trained_s = time.monotonic() - began
    results = {
        task: _compete(trained, everything, _of_month(cases, everything, months), months, options)
        for task, cases in _TASKS.items()
    }
    _write(options.out, results, options, before.events, trained_s)


def _months(first: datetime) -> Months:
    edges = ((first - timedelta(days=1)).replace(day=1), first, (first + timedelta(days=31)).replace(day=1))
    return Months(*(int(edge.timestamp() * 1000) for edge in edges))


def _import(folder: Path, until: datetime | None) -> Shop:
    out = folder / "stream.jsonl"
    import_online_retail(settings().data / _SOURCE, out, until=until)
    return read_shop(out, lambda _: None)


class Split(NamedTuple):
    """Moments to choose on and moments to score."""

    chosen: list[Case]
    held_back: list[Case]


def _of_month(cases: Callable[[Shop, int], list[Case]], shop: Shop, months: Months) -> Split:
    return Split(
        [case for case in cases(shop, months.chosen) if case.now < months.held_back],
        [case for case in cases(shop, months.held_back) if case.now < months.end],
    )


def _compete(
    trained: Trained, shop: Shop, cases: Split, months: Months, options: argparse.Namespace
) -> dict[str, Result]:
    known = known_before(trained, shop, months.held_back)
    lists = recommend(trained, shop, cases.held_back)
    results = {"Headrace": Result(measure_lists(lists, cases.held_back, known), "", None)}
    for name, contestant in CONTESTANTS.items():
        results[name] = _baseline(contestant, shop, cases, months, options, known)
        print(f"{name}: {results[name].measured.accuracy.recall:.4f}", flush=True)
    return results


def _baseline(
    contestant: Contestant, shop: Shop, cases: Split, months: Months, options: argparse.Namespace, known: Known
) -> Result:
    chosen, recall = tune(
        contestant, shop.sequences, cases.chosen, shop.item_hash, months.chosen, options.trials, options.seed
    )
    past = wanted_before(shop.sequences, months.held_back)
    fitted = chosen.fit(past, len(shop.item_hash), months.held_back)
    lists = best_items(fitted, shop.sequences, cases.held_back, shop.item_hash)
    return Result(measure_lists(lists, cases.held_back, known), str(chosen), recall)


def _write(
    out: Path, results: dict[str, dict[str, Result]], options: argparse.Namespace, events: int, trained_s: float
) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    found = {
        "month": f"{options.month:%Y-%m}",
        "seed": options.seed,
        "trials": options.trials,
        "events": events,
        "training_seconds": round(trained_s, 1),
        "machine": _MACHINE,
        "results": msgspec.to_builtins(results),
    }
    write_atomic(out.with_suffix(".json"), json.dumps(found, indent=2) + "\n")
    parts = "\n".join(_section(task, contestants) for task, contestants in results.items())
    write_atomic(
        out.with_suffix(".md"),
        f"""# Recall@20 on a month of Online Retail

{(__doc__ or "").split(chr(10), 2)[2].strip()}

Month {options.month:%Y-%m}, seed {options.seed}, {options.trials} settings tried for each baseline.
Trained on {events:,} events in {trained_s:.0f} s; {_MACHINE}.
{parts}""",
    )


def _section(task: str, contestants: dict[str, Result]) -> str:
    model = contestants["Headrace"].measured.accuracy
    best = max(r.measured.accuracy.recall for name, r in contestants.items() if name != "Headrace")
    rows = "\n".join(
        f"| {name} | {a.recall:.4f} | {a.ndcg:.4f} | {a.hit:.4f} | {_or_nothing(r.recall_when_chosen)} | {r.settings} |"
        for name, r in contestants.items()
        for a in [r.measured.accuracy]
    )
    beyond_accuracy = beyond_markdown({name: r.measured.beyond_accuracy for name, r in contestants.items()})
    return f"""
## {task}: {model.moments:,} moments, Headrace ÷ the best baseline {model.recall / best:.2f}

| | Recall@20 | NDCG@20 | HR@20 | Recall@20 when chosen | settings |
|---|---|---|---|---|---|
{rows}

{beyond_accuracy}
"""


def _or_nothing(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4f}"


if __name__ == "__main__":
    main()
