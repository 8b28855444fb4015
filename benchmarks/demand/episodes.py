"""How many episodes the demand pipeline opens on nine months of Online Retail, hour by hour.

    python -m benchmarks.demand.episodes

The forecaster learns the first six months; alerts are counted over all nine, by scope and direction, at the default
rate of false alarms. Nothing is known of true anomalies there: the figure says what a planner would have to read.
"""

import json
import tempfile
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Final

import torch

from benchmarks.demand.alerts import HORIZON, WINDOW_MS, rules, run, served
from headrace.files.atomic import write_atomic
from headrace.settings.model import settings
from streams.recordings.importing.online_retail import import_online_retail
from trainer.demand.describing import installed_vectors
from trainer.demand.train import train_demand

_OUT: Final = Path("benchmarks/results/demand_episodes.json")
_SOURCE: Final = "online_retail/online_retail_2010-12_2011-08.csv.xz"
_RATE: Final = 1e-6


def main() -> None:
    """Train, run, count, write."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        source = settings().data / _SOURCE
        import_online_retail(source, folder / "all.jsonl")
        import_online_retail(source, folder / "learnt.jsonl", until=datetime(2011, 6, 1))
        train_demand(
            folder / "learnt.jsonl",
            folder,
            window_ms=WINDOW_MS,
            horizon=HORIZON,
            vectors=installed_vectors,
            on_progress=print,
        )
        began = time.perf_counter()
        done = run(folder / "all.jsonl", served(folder), rules(_RATE), None)
    opened = [alert for alert in done.alerts if alert.state == "open"]
    found = {
        "command": "python -m benchmarks.demand.episodes",
        "machine": "2 cores, x86-64, no GPU; one core used",
        "false_alarms": _RATE,
        "items_windows": done.item_windows,
        "closings": done.closed_windows,
        "episodes": len(opened),
        "by": dict(Counter(f"{alert.scope} {alert.direction}" for alert in opened)),
        "seconds": round(time.perf_counter() - began),
    }
    write_atomic(_OUT, json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
