"""A Triton that serves another folder than the one that is published to: it would answer with a version of its own."""

import shutil
from pathlib import Path

import pytest
from tritonclient.grpc import InferenceServerClient

from headrace.errors import ModelError
from headrace.settings.model import Settings
from streams.testing import Stack
from trainer.publishing import repository
from trainer.publishing.publish import publish, rollback
from trainer.publishing.triton_server import connect, require_folder
from trainer.publishing.version_folder import whole_folder

CONFIG = Path(__file__).parents[3] / "model_repo" / "headrace" / "config.pbtxt"


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """As far as it is looked at before anything is loaded."""
    with whole_folder(tmp_path / "trained" / "headrace") as version:
        shutil.copy(CONFIG, version)
    return tmp_path / "trained"


@pytest.fixture
def settings(headrace_stack: Stack, tmp_path: Path) -> Settings:
    """Of a publisher that takes another folder for Triton's."""
    return headrace_stack.settings("headrace").model_copy(update={"model_repo": tmp_path / "elsewhere"})


def served(settings: Settings) -> set[tuple[str, str, str]]:
    index = InferenceServerClient(settings.triton_address).get_model_repository_index()
    return {(model.name, model.version, model.state) for model in index.models}


def test_publish_says_so_and_changes_nothing(settings: Settings, trained: Path):
    before = served(settings)
    message = f"serves another folder than {settings.models}: set HEADRACE_MODEL_REPO to the folder"
    with pytest.raises(ModelError, match=message) as refused:
        publish(trained, settings)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 1
    assert not settings.models.exists()
    assert served(settings) == before


def test_rollback_says_so_and_changes_nothing(settings: Settings, trained: Path):
    before, models = served(settings), settings.models
    for version in (1, 2):
        repository.place_version(models, trained / "headrace", version)
        repository.point_at(models, "headrace", version)
    with pytest.raises(ModelError, match="serves another folder"):
        rollback(settings)
    assert repository.served_version(models, "headrace") == 2
    assert [path.name for path in models.iterdir()] == ["headrace"]
    assert served(settings) == before


def test_the_folder_that_it_serves_is_known_and_left_as_it_was(headrace_stack: Stack):
    settings = headrace_stack.settings("headrace")
    before = sorted(settings.models.iterdir())
    require_folder(connect(settings), settings)
    assert sorted(settings.models.iterdir()) == before
