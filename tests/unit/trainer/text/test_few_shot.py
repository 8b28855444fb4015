"""A head for a new task from class names or a few examples."""

import numpy as np
import torch

from trainer.text.classifier import load_classifier, save_classifier
from trainer.text.encoder import TextModel, load_text_model
from trainer.text.evaluation import evaluate_few_shot
from trainer.text.finetuning.adaptation import Method
from trainer.text.finetuning.few_shot import pair_batches, readable, supervised_contrastive_loss, zero_shot
from trainer.text.labelled import Labelled

CPU = torch.device("cpu")


def silent(what: str, done: int, total: int, note: str) -> None:
    """No progress."""


def test_names_alone_tell_classes_apart_with_the_installed_encoder():
    classifier = zero_shot(load_text_model(None, CPU), ["lost_or_stolen_card", "exchange-rate", "age limit"])
    found = classifier.logits(["someone took my card", "how many euros do I get for a dollar", "how old must I be"])
    assert found.argmax(dim=1).tolist() == [0, 1, 2]


def test_a_few_examples_teach_more_than_names(small_model: TextModel, questions: Labelled, tmp_path):
    scores, classifier = evaluate_few_shot(small_model, questions, questions, 4, Method.LORA, 0, silent)
    assert scores.examples == 12
    assert scores.accuracy["lora"] > scores.accuracy["zero_shot"]
    save_classifier(classifier, tmp_path / "kept")
    kept = load_classifier(tmp_path / "kept", CPU, 32)
    assert kept.classes == questions.classes
    assert torch.allclose(kept.logits(questions.texts), classifier.logits(questions.texts), atol=1e-4)


def test_the_loss_falls_when_a_class_moves_together():
    label = torch.tensor([0, 0, 1, 1])
    apart = torch.eye(4)
    together = torch.eye(4)[[0, 0, 1, 1]]
    assert supervised_contrastive_loss(together, label) < supervised_contrastive_loss(apart, label)


def test_a_batch_holds_two_different_examples_of_each_of_its_classes():
    label = np.repeat(np.arange(40), 3)
    for rows in pair_batches(label, 5, 0):
        counts = np.bincount(label[rows])
        assert set(counts) <= {0, 2}
        assert len(set(rows)) == len(rows)


def test_a_name_is_read_as_words():
    assert readable("lost_or-stolen_card") == "lost or stolen card"
