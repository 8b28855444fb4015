"""What closing windows costs a worker: 100,000 items on a real stack, each forecast and judged.

    python -m benchmarks.demand.worker

Every item sells once in the first hour and once in each of seven hours two days later: seven windows that are judged
one after the other, from the fourth of which on the model is asked for one forecast a closing, as it is of items that
sell steadily. The hours are replayed one by one into a stack made anew, and each hour's windows close when its sales
are answered, as they do in a shop, whose hours last an hour. The worker itself says how long each step of the items'
pipeline took; the rate is forecasts over the sum of them all, folding and rows included. One worker, everything on one
machine. In an environment whose stack is its own (HEADRACE_HOME, HEADRACE_PORT_OFFSET).
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from headrace.files.atomic import write_atomic
from headrace.settings.model import load_settings
from streams.demo.shell import Shell

_OUT: Final = Path("benchmarks/results/demand_worker.json")
_HOURS: Final = (0, *range(50, 57))
_HOUR_MS: Final = 3_600_000
_START_MS: Final = 1_767_571_200_000
_SHOPPERS: Final = 20_000


def main() -> None:
    """Replay, ask the worker, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    items = parser.parse_args().items
    replays, steps = _replay(items)
    forecasts = sum(replay["answered"]["demand.forecasts"] for replay in replays)
    found = {
        "command": f"python -m benchmarks.demand.worker --items {items}",
        "machine": "2 cores, x86-64, no GPU; Kafka, Valkey, Triton and the worker on it",
        "items": items,
        "forecasts": forecasts,
        "seconds_of_the_replays": round(sum(replay["seconds"] for replay in replays), 1),
        "seconds_by_step": steps,
        "windows_closed_per_second": round(forecasts / sum(steps.values())),
    }
    write_atomic(_OUT, json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))


def _replay(items: int) -> tuple[list[dict[str, Any]], dict[str, float]]:
    """What each hour's replay says, and the seconds of each step of the item pipeline."""
    home = load_settings().home.absolute()
    shell = Shell({"HEADRACE_TRIGGERS": "search", "HEADRACE_FEATURE_LOG": "0", "HEADRACE_TRENDING": "off"})
    shell.headrace("down")
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    shop, model = home / "shop.jsonl", home / "model"
    recordings = [_recorded(home / f"hour-{hour}.jsonl", hour, items) for hour in _HOURS]
    try:
        shell.headrace("up")
        shell.headrace("simulate", "--out", shop, "--users", "60", "--items", "40", "--days", "6", "--anomalies", "1")
        shell.headrace("train", "--stream", shop, "--out", model)
        shell.headrace("publish", model)
        with shell.worker(home / "worker.log"):
            replays = [shell.headrace("replay", recording, "--speed", "max", "--wait") for recording in recordings]
            return replays, _steps(load_settings().metrics_from)
    finally:
        shell.headrace("down")


def _steps(port: int) -> dict[str, float]:
    """Seconds by step, from the worker's metrics."""
    with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        text = answer.read().decode()
    return {
        sample.labels["step"]: round(sample.value, 2)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "headrace_pipeline_step_seconds_sum" and sample.labels["pipeline"] == "demand"
    }


def _recorded(path: Path, hour: int, items: int) -> Path:
    encode = msgspec.json.Encoder().encode
    path.write_bytes(b"\n".join(encode(sale) for sale in _sales(hour, items)))
    return path


def _sales(hour: int, items: int) -> Iterator[dict[str, Any]]:
    for item in range(items):
        moment = _START_MS + hour * _HOUR_MS + item * _HOUR_MS // items
        value = {
            "event_id": f"e{hour}-{item}",
            "type": "purchase",
            "user_id": f"u{(item * 7919 + hour) % _SHOPPERS}",
            "timestamp": moment,
            "item_id": f"item-{item}",
        }
        yield {"topic": "events", "key": value["user_id"], "timestamp": moment, "value": value}


if __name__ == "__main__":
    main()
