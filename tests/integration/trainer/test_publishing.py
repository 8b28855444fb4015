"""Publishing and going back, against a real Triton."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tritonclient.grpc import InferenceServerClient

from headrace.errors import ModelError
from headrace.settings.model import Settings
from streams.testing import Stack
from tests.integration.trainer.test_serving import Served
from tests.trained_shop import TrainedShop
from trainer.publishing import repository
from trainer.publishing.inventory import inventory
from trainer.publishing.note import note_of
from trainer.publishing.publish import publish, rollback


@pytest.fixture
def settings(headrace_stack: Stack, trained_shop: TrainedShop) -> Settings:
    return headrace_stack.settings("headrace")


def ready_versions(settings: Settings, model: str) -> list[int]:
    client = InferenceServerClient(settings.triton_address)
    return [v for v in repository.versions(settings.models, model) if client.is_model_ready(model, str(v))]


def test_both_models_go_one_version_on_and_back(settings: Settings, trained_shop: TrainedShop, tmp_path: Path):
    """From a copy, as it would come from another machine."""
    copy = shutil.copytree(trained_shop.model, tmp_path / "elsewhere")
    before = repository.served_version(settings.models, "headrace")
    version = publish(copy, settings)
    try:
        for model in ("headrace", "headrace_demand"):
            assert ready_versions(settings, model) == [version]
    finally:
        assert rollback(settings) == before
    assert ready_versions(settings, "headrace") == [before]
    for model in ("headrace", "headrace_demand"):
        repository.remove_version(settings.models, model, version)


def test_a_model_that_does_not_answer_as_trained_is_taken_back(
    settings: Settings, trained_shop: TrainedShop, tmp_path: Path
):
    copy = shutil.copytree(trained_shop.model, tmp_path / "tampered")
    with np.load(copy / "headrace" / "arrays.npz") as arrays:
        changed = dict(arrays)
    changed["item_bias"] = changed["item_bias"] + 0.01
    np.savez(copy / "headrace" / "arrays.npz", **changed)
    before = repository.versions(settings.models, "headrace")
    served = ready_versions(settings, "headrace")
    with pytest.raises(ModelError, match="differs from headrace as trained"):
        publish(copy, settings)
    assert repository.versions(settings.models, "headrace") == before
    assert ready_versions(settings, "headrace") == served


def test_a_model_that_does_not_load_is_taken_back(settings: Settings, trained_shop: TrainedShop, tmp_path: Path):
    copy = shutil.copytree(trained_shop.model, tmp_path / "broken")
    program = copy / "headrace" / "history.ts"
    program.write_bytes(bytes(program.stat().st_size))
    served = ready_versions(settings, "headrace")
    with pytest.raises(ModelError, match="not published"):
        publish(copy, settings)
    assert ready_versions(settings, "headrace") == served


def test_the_text_encoder_may_be_served_in_bfloat16_and_then_says_nearly_the_same(
    settings: Settings, trained_shop: TrainedShop, tmp_path: Path
):
    copy = shutil.copytree(trained_shop.model, tmp_path / "fast")
    config = copy / "headrace" / "config.pbtxt"
    key = 'key: "text_precision", value: { string_value: '
    config.write_text(config.read_text().replace(f'{key}"float32"', f'{key}"bfloat16"'))
    with np.load(copy / "headrace" / "reference_describe.npz") as reference:
        request = {name: reference[name] for name in reference.files if not name.startswith("out_")}
        trained = reference["out_text_vector"]
    version = publish(copy, settings)
    try:
        served = Served(settings.triton_address).ask(request)["text_vector"]
    finally:
        rollback(settings)
        for model in ("headrace", "headrace_demand"):
            repository.remove_version(settings.models, model, version)
    assert not np.array_equal(served, trained)
    known, strange = zip(served, trained, strict=True)  # a title of the shop, and one like none of them
    assert known[0] @ known[1] / (np.linalg.norm(known[0]) * np.linalg.norm(known[1])) > 0.999
    assert np.allclose(*strange, atol=0.05 * np.linalg.norm(known[1]))


def test_the_inventory_says_which_version_answers_when_it_was_trained_and_how_it_measured(
    settings: Settings, trained_shop: TrainedShop
):
    before = repository.served_version(settings.models, "headrace")
    version = publish(trained_shop.model, settings)
    try:
        found = inventory(settings)
    finally:
        assert rollback(settings) == before
        for model in ("headrace", "headrace_demand"):
            repository.remove_version(settings.models, model, version)
    assert found.trouble == ""
    assert found.served == {"headrace": [version], "headrace_demand": [version]}
    assert [one.version for one in found.versions if one.served] == [version]
    newest, wanted = found.versions[-1], note_of(trained_shop.model)
    assert (newest.version, newest.models) == (version, ["headrace", "headrace_demand"])
    assert newest.published_at is not None
    trained_at = json.loads((trained_shop.model / "metrics.json").read_text())["trained_at"]
    assert newest.trained_at == wanted.trained_at == trained_at
    assert newest.metrics == wanted.metrics
    assert {"recall@20", "ndcg@20"} <= newest.metrics.keys()
