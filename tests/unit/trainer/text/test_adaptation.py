"""Fine-tuning methods: what each trains, and that what was merged needs no peft."""

import copy
import subprocess
import sys

import pytest
import torch

from headrace.errors import ModelError, UsageError
from trainer.text.classifier import Classifier, save_classifier
from trainer.text.encoder import TextModel
from trainer.text.finetuning.adaptation import Adapted
from trainer.text.finetuning.methods import Method, parse_method
from trainer.text.heads import CosineHead

CPU = torch.device("cpu")
TEXTS = ["where is my card", "a loan of ten years, please"]
ADDED = [Method.LORA, Method.ADALORA, Method.PREFIX, Method.ADAPTERS, Method.IA3]

_LOAD_WITHOUT_PEFT = """
import sys
sys.modules["peft"] = None
import torch
from pathlib import Path
from trainer.text.classifier import load_classifier
logits = load_classifier(Path(sys.argv[1]), torch.device("cpu"), 32).logits(["where is my card"])
print(",".join(str(value) for value in logits[0].tolist()))
"""


def moved(model: TextModel, method: Method) -> Adapted:
    """An adapted encoder whose trainable weights are no longer those it began with."""
    adapted = Adapted(model.encoder, method, 20)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in adapted.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    adapted.encoder.eval()
    return adapted


@torch.no_grad()
def vectors(model: TextModel, adapted: Adapted) -> torch.Tensor:
    return adapted.encoder(*model.tokens(TEXTS, CPU))


def test_full_trains_everything_and_frozen_nothing(small_model: TextModel):
    assert Adapted(small_model.encoder, Method.FULL, 10).trainable_share == 1
    assert Adapted(small_model.encoder, Method.FROZEN, 10).parameters() == []


@pytest.mark.parametrize("method", ADDED)
def test_added_weights_are_few_and_change_the_vectors(small_model: TextModel, method: Method):
    adapted = moved(small_model, method)
    assert 0 < adapted.trainable_share < 0.02
    with torch.no_grad():
        before = small_model.encoder(*small_model.tokens(TEXTS, CPU))
    assert (vectors(small_model, adapted) - before).abs().max() > 1e-3


@pytest.mark.parametrize("method", list(Method))
def test_the_given_encoder_is_left_alone(small_model: TextModel, method: Method):
    before = copy.deepcopy(small_model.encoder.state_dict())
    moved(small_model, method)
    after = small_model.encoder.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("method", [Method.LORA, Method.ADALORA, Method.IA3])
def test_merging_changes_no_vector_and_leaves_no_peft(small_model: TextModel, method: Method):
    adapted = moved(small_model, method)
    before = vectors(small_model, adapted)
    merged = adapted.merged()
    assert not any(type(module).__module__.startswith("peft") for module in merged.modules())
    with torch.no_grad():
        assert torch.allclose(merged(*small_model.tokens(TEXTS, CPU)), before, atol=1e-5)


def test_adalora_keeps_its_factors_orthogonal_by_a_penalty_that_others_do_not_have(small_model: TextModel):
    assert float(Adapted(small_model.encoder, Method.ADALORA, 10).penalty()) > 0
    assert Adapted(small_model.encoder, Method.LORA, 10).penalty() == 0


def test_a_merged_lora_is_loaded_where_peft_cannot_be_imported(small_model: TextModel, tmp_path):
    encoder = moved(small_model, Method.LORA).merged()
    head = CosineHead(torch.randn(3, 64, generator=torch.Generator().manual_seed(2)))
    classifier = Classifier(small_model._replace(encoder=encoder), head, ["a", "b", "c"])
    save_classifier(classifier, tmp_path / "kept")
    command = [sys.executable, "-c", _LOAD_WITHOUT_PEFT, str(tmp_path / "kept")]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    loaded = torch.tensor([float(value) for value in printed.split(",")])
    assert torch.allclose(loaded, classifier.logits(["where is my card"])[0], atol=1e-4)


def test_what_cannot_be_merged_is_not_saved(small_model: TextModel, tmp_path):
    encoder = moved(small_model, Method.PREFIX).merged()
    classifier = Classifier(small_model._replace(encoder=encoder), CosineHead(torch.eye(3, 64)), ["a", "b", "c"])
    with pytest.raises(ModelError, match="prefix"):
        save_classifier(classifier, tmp_path / "kept")
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_is_not_there_is_wrong_usage():
    assert parse_method("lora") is Method.LORA
    with pytest.raises(UsageError, match="--method qlora: it must be one of full, lora"):
        parse_method("qlora")
