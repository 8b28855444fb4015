"""Daily demand of Online Retail's 500 best sellers, by the same code as `headrace evaluate demand`.

    python -m benchmarks.demand.forecasts [--seeds 3]

Learnt to the end of June 2011; July and August are forecast a week at a time. Headrace learns nothing after June; the
statistical methods are fitted anew to every item every week. The first seed draws the picture.

New items are those first sold in the three weeks before a forecast. Beside Headrace as it is stands the same network,
asked without telling which item it is, and without its price either.
"""

import argparse
import json
import tempfile
import time
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from feature_repo.basics.identity import NO_ITEM
from feature_repo.basics.season import season
from headrace.arrays import DEMAND_HISTORY, Floats
from headrace.files.atomic import write_atomic
from headrace.settings.model import settings
from streams.recordings.importing.online_retail import import_online_retail
from streams.scenarios.demand import DemandRules
from trainer.demand.accuracy import MethodForecast, accuracy
from trainer.demand.baselines import baseline_forecasts
from trainer.demand.evaluation import DemandEvaluation, evaluate_demand, forecast, query_tensors
from trainer.demand.plotting import alerts_of, draw_demand
from trainer.training_loop.device import use_cores

_OUT: Final = Path("benchmarks/results/demand_forecasts.json")
_SOURCE: Final = "online_retail/online_retail_2010-12_2011-08.csv.xz"
_MACHINE: Final = "2 cores, x86-64, no GPU"
_DAY_MS: Final = 86_400_000
_HORIZON: Final = 7
_NEW: Final = 21


def main() -> None:
    """Evaluate every seed and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    cores = use_cores()
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as scratch:
        stream = Path(scratch) / "retail.jsonl"
        import_online_retail(settings().data / _SOURCE, stream)
        for seed in range(options.seeds):
            began = time.perf_counter()
            done = evaluate_demand(
                stream,
                datetime(2011, 7, 1),
                windows=_DAY_MS,
                horizon=_HORIZON,
                items=500,
                seed=seed,
                on_progress=lambda *_: None,
            )
            run = {"seed": seed, "seconds": round(time.perf_counter() - began), "cores": cores}
            runs.append({**run, "best_sellers": msgspec.to_builtins(done.methods), "new_items": new_items(done)})
            print(runs[-1], flush=True)
            if seed == 0:
                _draw(done)
            _keep(runs)


def new_items(done: DemandEvaluation) -> dict[str, float]:
    """WQL of items in their first three weeks, over all origins."""
    series, first = done.series, (done.series.units > 0).argmax(1)
    parts: defaultdict[str, list[MethodForecast]] = defaultdict(list)
    came: list[Floats] = []
    for origin in range(done.split, series.units.shape[1] - _HORIZON + 1, _HORIZON):
        items = np.flatnonzero((first < origin) & (first >= origin - _NEW))
        came.append(series.units[items, origin : origin + _HORIZON])
        found = baseline_forecasts(series.units[items, DEMAND_HISTORY:origin], season(_DAY_MS), _HORIZON)
        tensors = query_tensors(series, items, origin)
        unknown = np.full(len(items), NO_ITEM)
        hidden = tensors._replace(item=unknown, category=unknown)
        found["headrace"] = forecast(done.network, tensors)
        found["headrace, item not told"] = forecast(done.network, hidden)
        found["headrace, item and price not told"] = forecast(
            done.network, hidden._replace(price=np.zeros_like(tensors.price))
        )
        for name, one in found.items():
            parts[name].append(one)
    units = np.concatenate(came)
    errors = np.ones(len(units), np.float32)
    return {name: accuracy(stacked(found), units, errors).wql for name, found in parts.items()}


def stacked(parts: list[MethodForecast]) -> MethodForecast:
    """Forecasts of different items as one."""
    columns = zip(*((p.quantiles, p.lower, p.upper) for p in parts), strict=True)
    return MethodForecast(*(np.concatenate(column) for column in columns))


def _draw(done: DemandEvaluation) -> None:
    best = [done.series.item_ids[row] for row in done.items[:4]]
    rules = DemandRules.of(settings())._replace(window_ms=_DAY_MS)
    draw_demand(_OUT.with_suffix(".svg"), done, best, alerts_of(done, rules))


def _keep(runs: list[dict[str, Any]]) -> None:
    command = f"python -m benchmarks.demand.forecasts --seeds {len(runs)}"
    write_atomic(_OUT, json.dumps({"command": command, "machine": _MACHINE, "runs": runs}, indent=2) + "\n")
    about, about_new = (__doc__ or "").strip().split("\n\n")[2:]
    lines = "\n".join(line for run in runs for line in _lines(run))
    new = "\n".join(
        f"| {run['seed']} | {name} | {wql:.4f} |" for run in runs for name, wql in sorted(run["new_items"].items())
    )
    write_atomic(
        _OUT.with_suffix(".md"),
        f"""# Demand forecasts

`{command}`; {_MACHINE}.

{about}

| seed | method | WQL | MASE | 80 % interval covers | seconds of the whole run | cores |
|---|---|---|---|---|---|---|
{lines}

## New items

{about_new}

| seed | method | WQL |
|---|---|---|
{new}

## The four best sellers

![forecasts, intervals and alerts of the four best sellers](demand_forecasts.svg)
""",
    )


def _lines(run: dict[str, Any]) -> list[str]:
    return [
        f"| {run['seed']} | {name} | {found['wql']:.4f} | {found['mase']:.4f} | {found['coverage80']:.3f} "
        f"| {run['seconds']} | {run['cores']} |"
        for name, found in run["best_sellers"].items()
    ]


if __name__ == "__main__":
    main()
