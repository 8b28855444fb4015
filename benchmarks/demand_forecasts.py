"""Daily demand of Online Retail's 500 best sellers, by the same code as `headrace evaluate demand`.

    python -m benchmarks.demand_forecasts [--seeds 3]

Learnt to the end of June 2011; July and August are forecast a week at a time. Headrace learns nothing after June; the
statistical methods are fitted anew to every item every week. The first seed draws the picture.
"""

import argparse
import json
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from streams.recordings.importing.online_retail import import_online_retail
from streams.scenarios.demand import DemandRules
from streams.settings import settings
from trainer.demand.evaluation import DemandEvaluation, evaluate_demand
from trainer.demand.plotting import alerts_of, draw_demand
from trainer.practice.device import use_cores

_OUT: Final = Path("benchmarks/results/demand_forecasts.json")
_SOURCE: Final = "online_retail/online_retail_2010-12_2011-08.csv.xz"
_MACHINE: Final = "2 cores, x86-64, no GPU"
_DAY_MS: Final = 86_400_000


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
                window_ms=_DAY_MS,
                horizon=7,
                items=500,
                seed=seed,
                tell=lambda *_: None,
            )
            methods = msgspec.to_builtins(done.methods)
            runs.append({"seed": seed, "seconds": round(time.perf_counter() - began), "cores": cores, **methods})
            print(runs[-1], flush=True)
            if seed == 0:
                _draw(done)
            _keep(runs)


def _draw(done: DemandEvaluation) -> None:
    best = [done.series.item_ids[row] for row in done.items[:4]]
    rules = DemandRules.of(settings())._replace(window_ms=_DAY_MS)
    draw_demand(_OUT.with_suffix(".svg"), done, best, alerts_of(done, rules))


def _keep(runs: list[dict[str, Any]]) -> None:
    command = f"python -m benchmarks.demand_forecasts --seeds {len(runs)}"
    _OUT.write_text(json.dumps({"command": command, "machine": _MACHINE, "runs": runs}, indent=2) + "\n")
    about = (__doc__ or "").split("\n\n")[2]
    lines = "\n".join(line for run in runs for line in _lines(run))
    _OUT.with_suffix(".md").write_text(f"""# Demand forecasts

`{command}`; {_MACHINE}.

{about}

| seed | method | WQL | MASE | 80 % interval covers | seconds of the whole run | cores |
|---|---|---|---|---|---|---|
{lines}

![forecasts, intervals and alerts of the four best sellers](demand_forecasts.svg)
""")


def _lines(run: dict[str, Any]) -> list[str]:
    return [
        f"| {run['seed']} | {name} | {found['wql']:.4f} | {found['mase']:.4f} | {found['coverage80']:.3f} "
        f"| {run['seconds']} | {run['cores']} |"
        for name, found in run.items()
        if isinstance(found, dict)
    ]


if __name__ == "__main__":
    main()
