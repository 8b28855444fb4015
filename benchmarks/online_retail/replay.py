"""Nine months of Online Retail through the pipeline: trained on the first six, replayed whole, each answer counted.

`python -m benchmarks.online_retail.replay --out benchmarks/results/online_retail_replay` in an environment whose
stack is its own (HEADRACE_HOME, HEADRACE_PORT_OFFSET); the stack is made anew and stopped at the end.
"""

import argparse
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from headrace.connections.kafka import KafkaConnection
from headrace.errors import CheckFailed
from headrace.files.atomic import write_atomic
from headrace.recording.reading import read_recording
from headrace.settings.model import load_settings
from headrace.topics import Topic
from streams.demo.answers import values
from streams.demo.shell import Shell

TRAINED_UNTIL = "2011-06-01"
SOURCE = "online_retail/online_retail_2010-12_2011-08.csv.xz"


class _Head(Struct, frozen=True):
    """What of a recommendation is counted."""

    id: str
    event_id: str
    fallback: str | None


class _Alert(Struct, frozen=True):
    """What of an alert is counted."""

    episode: str


def main() -> None:
    """Run it and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="results, without suffix")
    parser.add_argument("--model", type=Path, help="a folder trained on the first six months; trained here if absent")
    chosen = parser.parse_args()
    settings = load_settings()
    home = settings.home.absolute()
    shell = Shell({})
    shell.headrace("down")
    shutil.rmtree(home, ignore_errors=True)
    recording, past, model = home / "shop.jsonl.gz", home / "past.jsonl.gz", chosen.model or home / "model"
    source = settings.data / SOURCE
    found: dict[str, Any] = {}
    try:
        servers = shell.headrace("up")
        found["import"] = shell.headrace("import", "online-retail", source, "--out", recording)
        shell.headrace("validate", recording)
        if chosen.model is None:
            shell.headrace("import", "online-retail", source, "--out", past, "--until", TRAINED_UNTIL)
            found["train"] = shell.headrace("train", "--stream", past, "--out", model)
        shell.headrace("publish", model)
        with shell.worker(home / "worker.log"):
            found["replay"] = shell.headrace("replay", recording, "--speed", "max", "--wait")
        found["answers"] = account(recording, KafkaConnection(str(servers["kafka"])))
    finally:
        shell.headrace("down")
    found["answers"]["events_per_second"] = round(found["answers"]["events"] / found["replay"]["seconds"], 1)
    write(chosen.out, found)
    if not found["answers"]["adds_up"]:
        raise CheckFailed("what was answered does not add up to what was sent")


def account(recording: Path, kafka: KafkaConnection) -> dict[str, Any]:
    """Hold the answers against what was sent: every purchase answered, under one id, by the model."""
    sent: Counter[str] = Counter()
    purchases: set[str] = set()
    for record in read_recording(recording):
        if record.topic == Topic.ITEMS or record.value is None:
            sent["items"] += 1
            continue
        event = json.loads(record.value)
        sent[event["type"]] += 1
        if event["type"] == "purchase":
            purchases.add(event["event_id"])
    # Only the heads: three hundred thousand whole answers would fill the memory.
    heads = {a.id: a for a in map(msgspec.json.Decoder(_Head).decode, values(kafka, Topic.RECOMMENDATIONS))}
    answered = Counter(head.event_id for head in heads.values())
    fallbacks = Counter(head.fallback or "none" for head in heads.values())
    alerts = [msgspec.json.decode(value, type=_Alert) for value in values(kafka, Topic.DEMAND_ALERTS)]
    dead_letters = sum(1 for _ in values(kafka, Topic.DEAD_LETTERS))
    return {
        "events": sum(sent.values()) - sent["items"],
        "sent": dict(sent),
        "purchases_answered": len(purchases & answered.keys()),
        "answered_under_two_ids": sum(n > 1 for n in answered.values()),
        "answered_without_a_purchase": len(answered.keys() - purchases),
        "dead_letters": dead_letters,
        "fallbacks": dict(fallbacks),
        "alert_episodes": len({alert.episode for alert in alerts}),
        "adds_up": answered.keys() == purchases and max(answered.values()) == 1 and dead_letters == 0,
    }


def write(out: Path, found: dict[str, Any]) -> None:
    """Write the results as JSON and as a page."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out.with_suffix(".json"), json.dumps(found, indent=2) + "\n")
    answers, replay = found["answers"], found["replay"]
    write_atomic(
        out.with_suffix(".md"),
        f"""# Nine months of Online Retail, replayed

    python -m benchmarks.online_retail.replay --out {out}

Imported, validated, trained on everything before {TRAINED_UNTIL}, published, replayed at `--speed max` with `--wait`
into an empty stack, one worker, Kafka, Valkey and Triton beside it on the same machine.

| sent | |
|---|---|
| items | {answers["sent"]["items"]:,} |
| purchases | {answers["sent"]["purchase"]:,} |
| returns | {answers["sent"].get("return", 0):,} |

| came back | |
|---|---|
| purchases answered | {answers["purchases_answered"]:,} |
| answered under two ids | {answers["answered_under_two_ids"]} |
| dead letters | {answers["dead_letters"]} |
| fallbacks | {answers["fallbacks"]} |
| forecasts | {replay["answered"]["demand.forecasts"]:,} |
| alert messages, episodes | {replay["answered"]["demand.alerts"]:,}, {answers["alert_episodes"]:,} |

{replay["records"]:,} records in {replay["seconds"]:.0f} s: **{answers["events_per_second"]:,.0f} events a second**,
until the last was answered and committed.
""",
    )


if __name__ == "__main__":
    main()
