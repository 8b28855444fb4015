"""What closing windows costs: 100,000 items, each forecast and judged in every window, without servers.

    python -m benchmarks.demand.cost [--items 100000] --model FOLDER

Every item sells at random in 50 hours, and then all of them in each of the next five. The last two are timed: by then
the model is asked for one forecast a closing, as it is of items judged window after window. One process does what
the item pipeline does between reading and writing rows: the closing, the questions, the network (the traced program,
one thread), forecasts, stock advice, anomaly score, and the messages as JSON.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch

from feature_repo.basics.actions import ACTION_CODE
from feature_repo.items.item import pack
from headrace.arrays import DEMAND_MODEL, DEMAND_SPAN, DemandAnswer, DemandTensors
from headrace.files.atomic import write_atomic
from headrace.messages.internal import ItemUpdate, Watermark
from headrace.settings.model import settings
from model_repo.headrace.programs import load_program
from streams.scenarios.demand import DemandRules
from streams.scenarios.demand.offline import OfflineDemand

_OUT: Final = Path("benchmarks/results/demand_cost.json")
_HOUR_MS: Final = 3_600_000
_BEFORE, _FIRST, _TIMED = 50, DEMAND_SPAN - 1, 2
"""Hours without conclusions; then those whose forecasts the timed ones need, and the timed ones."""
_SHARE: Final = 0.3
_PURCHASE: Final = ACTION_CODE["purchase"]


def main() -> None:
    """Time the last windows and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--model", type=Path, required=True, help="a folder that `headrace train` wrote")
    options = parser.parse_args()
    torch.set_num_threads(1)
    program = load_program(options.model / DEMAND_MODEL / "program.ts", torch.device("cpu"))
    spent = [0.0]

    def forecast(tensors: DemandTensors) -> DemandAnswer:
        began = time.perf_counter()
        with torch.inference_mode():
            answer = program(*(torch.from_numpy(part) for part in tensors)).numpy()
        spent[0] += time.perf_counter() - began
        return DemandAnswer(answer)

    rules = DemandRules.of(settings())._replace(window_ms=_HOUR_MS)
    pipeline = OfflineDemand(forecast, sources=1, rules=rules, lateness_ms=0)
    _sell(pipeline, options.items)
    for hour in range(_BEFORE, _BEFORE + _FIRST):
        pipeline.fold(0, [_end_of(hour)])
    spent[0], closed, began = 0.0, pipeline.closed_windows, time.perf_counter()
    messages = 0
    encode = msgspec.json.Encoder().encode
    for hour in range(_BEFORE + _FIRST, _BEFORE + _FIRST + _TIMED):
        made = pipeline.fold(0, [_end_of(hour)])
        messages += len([encode(message) for message in made])
    seconds = time.perf_counter() - began
    closed_windows = pipeline.closed_windows - closed
    found = {
        "command": f"python -m benchmarks.demand.cost --items {options.items} --model FOLDER",
        "machine": "2 cores, x86-64 with AVX512, no GPU; one core used, no servers",
        "items": options.items,
        "closings": closed_windows,
        "messages": messages,
        "seconds": round(seconds, 2),
        "closings_per_second": round(closed_windows / seconds),
        "share_of_the_network": round(spent[0] / seconds, 3),
        "bytes_a_row": round(float(np.mean([len(pack(a)) for a in pipeline.activities.values()]))),
    }
    print(json.dumps(found, indent=2))
    write_atomic(_OUT, json.dumps(found, indent=2) + "\n")


def _sell(pipeline: OfflineDemand, items: int) -> None:
    """All sales; nothing closes but what is passed over without conclusions."""
    random = np.random.default_rng(0)
    for hour in range(_BEFORE + _FIRST + _TIMED):
        sells = np.flatnonzero(random.random(items) < (_SHARE if hour < _BEFORE else 1.1))
        pipeline.fold(0, [ItemUpdate(0, f"item-{i}", _PURCHASE, hour * _HOUR_MS, 1, 100, False) for i in sells])
        # Windows of the first hours are only noted as closed: forecasting them would take most of the time.
        if hour == _BEFORE - 1:
            _skip(pipeline, hour)


def _end_of(hour: int) -> Watermark:
    return Watermark(0, (hour + 1) * _HOUR_MS, idle=False)


def _skip(pipeline: OfflineDemand, hour: int) -> None:
    """Close what came so far without conclusions."""
    for window in sorted(pipeline.index.pending):
        sold = pipeline.index.pending.pop(window)
        pipeline.index.recent = {
            item: (pipeline.index.recent.get(item, 0) << 1 | (item in sold)) & (1 << 48) - 1
            for item in pipeline.index.recent.keys() | sold
        }
    pipeline.index.closed = hour + 1


if __name__ == "__main__":
    main()
