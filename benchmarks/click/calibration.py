"""Calibration of the served click head on simulated shops whose click probabilities are known.

    python -m benchmarks.click.calibration [--seeds 11 12 13] [--out benchmarks/results/click_calibration]

Each seed is a shop of its own (`headrace simulate` with its defaults). The model trains on the first two thirds of the
time, as in `scripts/demo`, and then scores every impression of the last third with the history that its shopper has by
then, by the scorer that Triton runs. ECE over 15 bins, against the clicks and against the known probabilities: the
first holds the luck of the draw too, which the ECE of the known probabilities themselves shows the size of. The choices
that this head rests on were made on other shops (seeds 101 to 103).
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray

from feature_repo.basics.identity import NO_ITEM
from headrace.arrays import ScoreTensors
from headrace.files.atomic import write_atomic
from headrace.messages.events import EventType
from streams.demo.shop import Shop as DemoShop
from streams.demo.shop import read_truth, write_past
from streams.recordings.simulation.simulate import Plan, simulate
from trainer.click.losses import log_loss
from trainer.click.rates import logit
from trainer.data.impressions import Impressions
from trainer.data.score_requests import as_tensors
from trainer.data.shop import read_shop
from trainer.evaluation.calibration import equal_mass, equal_width
from trainer.evaluation.reliability import draw_reliability
from trainer.publishing.serving import Trained
from trainer.train import train_shopper_model

_CHUNK: Final = 256
_MACHINE: Final = "2 cores, x86-64 with AVX512-BF16, no GPU, other work beside"
Floats = NDArray[np.float64]
Figures = dict[str, float]


def main() -> None:
    """Measure, write OUT.json, OUT.md and OUT.svg (the reliability diagram of the first shop)."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/click_calibration"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    options = parser.parse_args()
    options.out.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, Figures] = {}
    for seed in options.seeds:
        probability, clicked, known, figures = _measure(seed)
        results[f"seed {seed}"] = figures | _figures(probability, clicked, known)
        print(json.dumps(results[f"seed {seed}"]), flush=True)
        if seed == options.seeds[0]:
            draw_reliability(
                options.out.with_suffix(".svg"), probability, clicked, "Served click head on a simulated shop"
            )
    _write(options.out, results)


def _measure(seed: int) -> tuple[Floats, Floats, Floats, Figures]:
    with tempfile.TemporaryDirectory() as folder:
        recording, before = Path(folder) / "shop.jsonl", Path(folder) / "past.jsonl"
        simulate(Plan(seed=seed), recording)
        demo, truth = DemoShop(recording), read_truth(recording)
        write_past(recording, before, demo.cut)
        past, everything = read_shop(before, lambda _: None), read_shop(recording, lambda _: None)
    stages: dict[str, list[float]] = {}

    def on_progress(what: str, done: int, total: int, note: str) -> None:
        stages.setdefault(what, []).append(time.monotonic())

    trained, metrics = train_shopper_model(past, None, torch.device("cpu"), 0, None, on_progress)
    shown = everything.impressions
    first = int(np.searchsorted(shown.now, demo.cut))
    later = shown.between(first, len(shown.now))
    order = sorted((e for e in demo.events if e.type is EventType.IMPRESSION), key=lambda event: event.timestamp)
    known = np.concatenate([truth.ctr[event.event_id] for event in order[first:]])
    head, card = stages["click head"], metrics.click
    assert card is not None
    rates = dict(zip(past.item_hash.tolist(), trained.arrays["item_prior"].tolist(), strict=True))
    average = np.array([rates.get(int(item), float(trained.arrays["new_prior"])) for item in later.shown_item])
    figures = {
        "log_loss_item_average": log_loss(average, later.clicked),
        "card_log_loss": card.log_loss,
        "head_seconds": head[-1] - head[0],
    }
    return _served(trained, later), later.clicked.astype(np.float64), known, figures


def _served(trained: Trained, shown: Impressions) -> Floats:
    """The click probability of every item shown, as Triton would answer. [M]"""
    scorer, parts = trained.scorer(), []
    with torch.inference_mode():
        for start in range(0, len(shown.now), _CHUNK):
            part = shown.between(start, min(start + _CHUNK, len(shown.now)))
            parts.append(scorer.score(as_tensors(_request(part, trained)))["ctr"].numpy())
    return np.concatenate(parts).astype(np.float64)


def _request(shown: Impressions, trained: Trained) -> ScoreTensors:
    rows, nothing = len(shown.now), np.array([NO_ITEM], np.int64)
    return ScoreTensors(
        history_item=shown.history_item,
        history_action=shown.history_action,
        history_time=shown.history_time,
        now=shown.now,
        context=shown.context,
        recommend=np.zeros(rows, np.int32),
        exclude=np.full((rows, 1), NO_ITEM, np.int64),
        withdrawn=nothing,
        extra_item=nothing,
        extra_vector=np.zeros((1, trained.arrays["item_vector"].shape[1]), np.float32),
        boost_item=nothing,
        boost=np.zeros(1, np.float32),
        candidate_item=shown.shown_item,
        candidate_row=shown.shown_in.astype(np.int32),
        candidate_position=shown.position.astype(np.int32),
    )


def _figures(probability: Floats, clicked: Floats, known: Floats) -> Figures:
    cross = -(known * np.log(probability) + (1 - known) * np.log(1 - probability))
    return {
        "impressions": float(len(clicked)),
        "ece": equal_width(probability, clicked).error,
        "ece_equal_mass": equal_mass(probability, clicked).error,
        "ece_to_known": equal_width(probability, known).error,
        "ece_to_known_equal_mass": equal_mass(probability, known).error,
        "ece_of_known": equal_width(known, clicked).error,
        "mean_distance_to_known": float(np.abs(probability - known).mean()),
        "log_loss": log_loss(logit(probability), clicked),
        "log_loss_known": log_loss(logit(known), clicked),
        "expected_log_loss": float(cross.mean()),
    }


def _write(out: Path, results: dict[str, Figures]) -> None:
    names = list(next(iter(results.values())))
    results["mean"] = {name: float(np.mean([found[name] for found in results.values()])) for name in names}
    found = {"machine": _MACHINE, "command": "python -m benchmarks.click.calibration", "results": results}
    write_atomic(out.with_suffix(".json"), msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    lines = [f"| {name} | " + " | ".join(f"{found[name]:.4f}" for found in results.values()) + " |" for name in names]
    table = "\n".join([f"| | {' | '.join(results)} |", "|---" * (len(results) + 1) + "|", *lines])
    write_atomic(
        out.with_suffix(".md"),
        f"""# Calibration of the served click head

{(__doc__ or "").strip()}

Machine: {_MACHINE}.

{table}

![Reliability diagram]({out.name}.svg)
""",
    )


if __name__ == "__main__":
    main()
