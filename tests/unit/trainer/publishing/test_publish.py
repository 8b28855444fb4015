"""Versions appear whole or not at all; what cannot be published changes nothing."""

from pathlib import Path

import numpy as np
import pytest

from headrace.errors import ModelError, ModelUnavailable, UsageError
from headrace.settings.model import Settings
from trainer.publishing import repository
from trainer.publishing.publish import check_outputs, disagreement, publish, rollback
from trainer.publishing.version_folder import whole_folder


def settings_for(models: Path) -> Settings:
    """A Triton that nobody runs."""
    return Settings(model_repo=models, triton="127.0.0.1:9")  # pyright: ignore[reportCallIssue]


def trained(folder: Path) -> Path:
    with whole_folder(folder / "headrace") as version:
        (version / "config.pbtxt").write_text('name: "headrace"\nmax_batch_size: 0\n')
    return folder


def test_the_configuration_names_the_version_to_serve(tmp_path: Path):
    source, models = trained(tmp_path / "trained") / "headrace", tmp_path / "models"
    for version in (1, 2):
        repository.place_version(models, source, version)
        repository.point_at(models, "headrace", version)
    config = (models / "headrace" / "config.pbtxt").read_text()
    assert config.count("version_policy") == 1
    assert config.endswith("version_policy: { specific { versions: [ 2 ] } }\n")
    assert repository.served_version(models, "headrace") == 2
    assert repository.versions(models, "headrace") == [1, 2]


def test_a_half_written_version_is_none(tmp_path: Path):
    models = tmp_path / "models"
    (models / "headrace" / "incoming-99").mkdir(parents=True)
    assert repository.versions(models, "headrace") == []
    assert repository.next_version(models, ["headrace"]) == 1


def test_models_published_together_have_one_number(tmp_path: Path):
    (tmp_path / "headrace" / "4").mkdir(parents=True)
    (tmp_path / "headrace_demand" / "7").mkdir(parents=True)
    assert repository.next_version(tmp_path, ["headrace", "headrace_demand"]) == 8


def test_without_a_triton_nothing_changes(tmp_path: Path):
    source, models = trained(tmp_path / "trained"), tmp_path / "models"
    with pytest.raises(ModelUnavailable, match=r"127\.0\.0\.1:9"):
        publish(source, settings_for(models))
    assert not models.exists()


def test_a_version_of_days_that_begin_elsewhere_is_not_published(tmp_path: Path):
    source, models = trained(tmp_path / "trained"), tmp_path / "models"
    with whole_folder(source / "headrace_demand") as version:
        (version / "config.pbtxt").write_text('name: "headrace_demand"\n')
        (version / "meta.json").write_text('{"window_ms": 86400000, "timezone": "Europe/Berlin"}')
    days = settings_for(models).model_copy(update={"window": 86_400_000})
    with pytest.raises(UsageError, match="days that begin in Europe/Berlin, not in UTC: train again"):
        publish(source, days)
    for other in (days.model_copy(update={"timezone": "Europe/Berlin"}), settings_for(models)):
        with pytest.raises(ModelUnavailable):  # that far it may go: the same days, or windows of another length
            publish(source, other)
    assert not models.exists()


def test_a_folder_without_a_model_is_wrong_usage(tmp_path: Path):
    with pytest.raises(UsageError, match="holds no trained model"):
        publish(tmp_path, settings_for(tmp_path / "models"))


def test_there_is_nothing_to_go_back_to_before_the_second_version(tmp_path: Path):
    source, models = trained(tmp_path / "trained") / "headrace", tmp_path / "models"
    repository.place_version(models, source, 1)
    repository.point_at(models, "headrace", 1)
    with pytest.raises(ModelError, match="no version before"):
        rollback(settings_for(models))


def test_disagreement_sees_a_difference_and_forgives_a_swap_of_equals():
    right = {
        "rec_item": np.array([[1, 2]]),
        "rec_score": np.array([[0.5, 0.5]], np.float32),
        "rec_ctr": np.array([[0.1, 0.9]], np.float32),
        "ctr": np.array([np.nan], np.float32),
    }
    swapped = {**right, "rec_item": np.array([[2, 1]]), "rec_ctr": np.array([[0.9, 0.1]], np.float32)}
    assert disagreement(right, swapped) == 0
    assert disagreement(right, {**right, "rec_score": np.array([[0.6, 0.5]], np.float32)}) > 0.05
    assert disagreement(right, {**right, "ctr": np.array([0.5], np.float32)}) == np.inf
    assert disagreement(right, {**right, "rec_ctr": np.empty((1, 0), np.float32)}) == np.inf


def test_a_version_of_another_release_is_not_published_in_place_of_one_that_answers(tmp_path: Path):
    config = (Path(__file__).parents[4] / "model_repo" / "headrace" / "config.pbtxt").read_text()
    folder = tmp_path / "model" / "headrace"
    folder.mkdir(parents=True)
    (folder / "config.pbtxt").write_text(config)
    check_outputs(folder)
    (folder / "config.pbtxt").write_text(config.replace('name: "encoder"', 'name: "other"'))
    with pytest.raises(UsageError, match="no output encoder; train again"):
        check_outputs(folder)
