"""`headrace train` broken off and resumed: the same model, one tracked run with all its curves, and a card."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import pytest
import torch
from mlflow import MlflowClient
from mlflow.entities import Run as TrackedRun
from next_item_cases import CONFIG, small_shop
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from headrace.errors import UsageError
from trainer.behaviour import next_item
from trainer.tracking.card import Metrics
from trainer.tracking.provenance import fingerprint
from trainer.train import train
from trainer.training_loop.checkpoint import Checkpoints


class Broken(Exception):
    """The power went."""


class Runs(NamedTuple):
    """Two trainings of one stream: one in one go, one broken off in its second epoch and resumed."""

    stream: Path
    whole: Path
    resumed: Path
    metrics: Metrics
    client: MlflowClient
    refusal: str

    def tracked(self) -> list[TrackedRun]:
        """All runs of the store, oldest first."""
        experiment = self.client.get_experiment_by_name("headrace")
        return self.client.search_runs([experiment.experiment_id], order_by=["attributes.start_time"])


def breaking(after: int):
    """Progress that dies after so many batches of the next-item fit."""

    def on_progress(what: str, done: int, total: int, note: str) -> None:
        if what == "next item" and done > after:
            raise Broken

    return on_progress


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: str) -> Iterator[Runs]:
    folder = tmp_path_factory.mktemp("runs")
    small_shop(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HEADRACE_HOME", str(folder / "home"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setattr(next_item, "_LEAST_STEPS", 1)
        patch.setattr(Checkpoints, "due", lambda _: True)

        def run(out: Path, on_progress=lambda *_: None, **options: object) -> Metrics | None:
            fixed = {
                "window_ms": 3_600_000,
                "horizon": 4,
                "device": "cpu",
                "text_encoder": tiny_encoder,
                "settings": CONFIG,
            }
            return train(folder / "shop.jsonl", out, on_progress=on_progress, **{**fixed, **options})

        run(folder / "whole")
        with pytest.raises(Broken):
            run(folder / "resumed", breaking(7))
        with pytest.raises(UsageError) as refusal:
            run(folder / "resumed", seed=1, resume=True)
        metrics = run(folder / "resumed", resume=True)
        assert metrics is not None
        client = MlflowClient(f"sqlite:///{folder / 'home' / 'mlflow' / 'mlflow.db'}")
        yield Runs(folder / "shop.jsonl", folder / "whole", folder / "resumed", metrics, client, str(refusal.value))


def test_the_resumed_training_exports_the_very_same_model(runs: Runs):
    weights = [torch.load(out / "weights.pt", weights_only=True) for out in (runs.whole, runs.resumed)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    with np.load(runs.whole / "headrace" / "arrays.npz") as a, np.load(runs.resumed / "headrace" / "arrays.npz") as b:
        assert all(np.array_equal(a[name], b[name]) for name in a.files)


def test_another_seed_is_refused_by_name(runs: Runs):
    assert "belongs to another run, with another seed; give what it was started with" in runs.refusal


def test_checkpoints_are_gone_when_the_model_is_written(runs: Runs):
    assert not (runs.resumed / "checkpoints").exists()


def test_the_resumed_training_is_one_run_with_the_curves_of_the_unbroken_one(runs: Runs):
    whole, resumed = runs.tracked()
    assert (whole.info.status, resumed.info.status) == ("FINISHED", "FINISHED")
    for name in (
        "next_item/train_loss",
        "next_item/validation_loss",
        "next_item/learning_rate",
        "click_head/train_loss",
    ):
        curves = [
            {(m.step, m.value) for m in runs.client.get_metric_history(run.info.run_id, name)}
            for run in (whole, resumed)
        ]
        assert curves[0] == curves[1]
        assert len(curves[0]) >= 2


def test_a_run_can_be_told_from_others_by_data_code_and_parameters(runs: Runs):
    tracked = runs.tracked()[0]
    assert tracked.data.tags["stream.sha256"] == fingerprint(runs.stream).sha256
    assert int(tracked.data.tags["stream.events"]) == runs.metrics.events
    assert tracked.data.tags["code"].startswith("0.")
    assert tracked.data.params["width"] == str(CONFIG.width)
    assert tracked.data.params["seed"] == "0"
    assert tracked.data.metrics["next_item.recall_at_20"] == runs.metrics.recall_at_20.model


def test_card_and_metrics_are_kept_with_the_run(runs: Runs, tmp_path: Path):
    run_id = runs.tracked()[1].info.run_id
    for name in ("model_card.md", "metrics.json"):
        kept = Path(runs.client.download_artifacts(run_id, name, str(tmp_path)))
        assert kept.read_bytes() == (runs.resumed / name).read_bytes()


def test_tensorboard_has_the_curves(runs: Runs):
    board = EventAccumulator(str(runs.whole / "tensorboard")).Reload()
    points = board.Scalars("next_item/validation_loss")
    assert [p.step for p in points] == [1, 2]
    assert points[-1].value == pytest.approx(runs.metrics.next_item_loss, rel=1e-5)


def test_the_card_states_data_split_settings_and_measurements(runs: Runs):
    card = (runs.whole / "model_card.md").read_text()
    facts = runs.metrics.run
    assert facts is not None
    for stated in (
        fingerprint(runs.stream).sha256,
        "Split once, by time, at 2023-",
        f"{facts.training_events:,} events before are learnt from",
        "| learning_rate | 0.003 |",
        "Recall@20",
        "log loss",
        "## Calibration",
        "Expected calibration error",
        "## Limits",
    ):
        assert stated in card
    assert facts.first < facts.split < facts.last
    assert facts.training_events > 5 * facts.held_back_events


def test_metrics_are_read_back_as_written(runs: Runs):
    content = (runs.resumed / "metrics.json").read_bytes()
    assert msgspec.json.decode(content, type=Metrics) == runs.metrics
    assert json.loads(content)["run"]["settings"]["width"] == CONFIG.width
