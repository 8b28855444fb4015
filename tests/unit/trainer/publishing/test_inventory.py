"""What lies in the model repository is listed, whether Triton answers or not."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.settings.model import Settings
from headrace_cli import app
from trainer.publishing import repository
from trainer.publishing.inventory import inventory
from trainer.publishing.note import note_of

TRAINED = {
    "trained_at": "2026-05-04T09:00:00+00:00",
    "recall_at_20": {"model": 0.31234567, "accuracy": {"ndcg": 0.2}},
    "click": None,
    "demand": {"quantile_loss": 0.5},
}


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Version 1 of an earlier release, which wrote no note, and version 2; no Triton."""
    models, trained = tmp_path / "models", tmp_path / "trained"
    for name in ("headrace", "headrace_demand"):
        (trained / name).mkdir(parents=True)
        (trained / name / "config.pbtxt").write_text(f'name: "{name}"\n')
    (trained / "metrics.json").write_text(json.dumps(TRAINED))
    (models / "headrace" / "1").mkdir(parents=True)
    for name in ("headrace", "headrace_demand"):
        repository.place_version(models, trained / name, 2, note_of(trained))
        repository.point_at(models, name, 2)
    monkeypatch.setenv("HEADRACE_MODEL_REPO", str(models))
    monkeypatch.setenv("HEADRACE_TRITON", "127.0.0.1:9")
    return models


def test_a_version_is_listed_with_when_it_was_trained_and_how_it_measured(models: Path):
    found = inventory(Settings())  # pyright: ignore[reportCallIssue]
    first, second = found.versions
    assert (first.version, first.models, first.trained_at, first.metrics) == (1, ["headrace"], None, {})
    assert (second.version, second.models) == (2, ["headrace", "headrace_demand"])
    assert second.trained_at == TRAINED["trained_at"]
    assert second.published_at is not None
    assert second.metrics == {"recall@20": 0.3123, "ndcg@20": 0.2, "demand_loss": 0.5}
    assert (found.served, first.served, second.served) == (None, None, None)
    assert found.model_repo == str(models)


def test_the_list_is_shown_and_the_command_fails_where_triton_does_not_answer(models: Path):
    done = CliRunner().invoke(app, ["models", "list"])
    assert "recall@20 0.3123, ndcg@20 0.2, demand_loss 0.5" in done.stdout
    assert "No Triton answers at 127.0.0.1:9" in str(done.exception)
    as_json = CliRunner().invoke(app, ["models", "list", "--json"])
    assert [one["version"] for one in json.loads(as_json.stdout.splitlines()[-1])["versions"]] == [1, 2]


def test_an_empty_repository_says_how_to_fill_it(models: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HEADRACE_MODEL_REPO", str(models / "none"))
    assert "`headrace publish DIR` makes the first" in CliRunner().invoke(app, ["models", "list"]).stdout


def test_a_folder_without_metrics_is_noted_all_the_same(tmp_path: Path):
    note = note_of(tmp_path)
    assert (note.trained_at, note.metrics) == (None, {})
    assert note.published_at is not None
