"""Learning a task: it learns, by every method, the same for a seed, and keeps what validates best."""

import numpy as np
import pytest
import torch

from trainer.text.encoder import TextModel
from trainer.text.evaluation import evaluate_task
from trainer.text.finetuning.adaptation import Method
from trainer.text.finetuning.batches import length_batches, steps_per_epoch
from trainer.text.finetuning.finetuning import LEARNING_RATES, FitResult, Recipe, disagreement, fit_classifier
from trainer.text.finetuning.splits import few_of_each, stratified_split
from trainer.text.labelled import Labelled
from trainer.text.tasks import Outliers, Task, thinned


def silent(what: str, done: int, total: int, note: str) -> None:
    """No progress."""


def split(rows: Labelled) -> tuple[Labelled, Labelled]:
    kept, held_back = stratified_split(rows.label, 0.25, 0)
    return rows.rows(kept), rows.rows(held_back)


def fitted(
    model: TextModel, questions: Labelled, method: Method, epochs: int = 20, agreement: float = 0.0
) -> FitResult:
    train, valid = split(questions)
    rate = 3 * LEARNING_RATES[method]  # a random encoder has more to learn than a pretrained one
    recipe = Recipe(rate, epochs, epochs, batch=8, agreement=agreement, head_learning_rate=3e-2)
    return fit_classifier(model, train, valid, method, recipe, 0, silent)


@pytest.mark.parametrize("method", list(Method))
def test_every_method_learns_what_words_mean(small_model: TextModel, questions: Labelled, method: Method):
    fit_result = fitted(small_model, questions, method)
    assert fit_result.valid_accuracy > 0.8
    found = fit_result.classifier.logits(questions.texts).argmax(dim=1).numpy()
    assert (found == questions.label).mean() > 0.8


@pytest.mark.parametrize("agreement", [0.0, 1.0])
def test_the_same_seed_gives_the_same_model(small_model: TextModel, questions: Labelled, agreement: float):
    one, other = (fitted(small_model, questions, Method.LORA, 2, agreement).classifier for _ in range(2))
    assert torch.equal(one.logits(questions.texts), other.logits(questions.texts))


def test_the_epoch_that_validates_best_is_the_one_kept(small_model: TextModel, questions: Labelled):
    """Validation labels that mean nothing go up and down; what is kept scores what was reported as best."""
    train, valid = split(questions)
    shuffled = valid._replace(label=np.random.default_rng(3).permutation(valid.label))
    recipe = Recipe(1e-3, epochs=8, patience=8, batch=8)
    fit_result = fit_classifier(small_model, train, shuffled, Method.FULL, recipe, 0, silent)
    found = fit_result.classifier.logits(shuffled.texts).argmax(dim=1).numpy()
    assert (found == shuffled.label).mean() == pytest.approx(fit_result.valid_accuracy)
    assert fit_result.epochs < 8


def test_carved_validation_rows_go_into_a_last_fit_and_given_ones_do_not(small_model: TextModel, questions: Labelled):
    train, valid = split(questions)
    recipe = Recipe(1e-3, 2, batch=8)
    rows = {
        carved: evaluate_task(small_model, Task(train, valid, valid, carved), Method.LORA, recipe, 0, silent)[0].rows
        for carved in (True, False)
    }
    assert rows == {True: len(questions.texts), False: len(train.texts)}


def test_texts_out_of_scope_are_scored_where_there_are_some(small_model: TextModel, questions: Labelled):
    train, valid = split(questions)
    outliers = Outliers(["zebra zebra zebra", "qqq"], ["the sky above us was grey all day long", "xyz xyz"])
    task = Task(train, valid, valid, False, outliers)
    scores, _ = evaluate_task(small_model, task, Method.LORA, Recipe(1e-3, 2, batch=8), 0, silent)
    assert scores.oos_auroc is not None
    assert scores.oos_score in (scores.oos_valid_auroc or {})


def test_disagreement_is_nothing_between_equals_and_grows_with_distance():
    logits = torch.tensor([[2.0, 0.0, -1.0]])
    assert float(disagreement(logits, logits)) == 0
    assert 0 < float(disagreement(logits, logits + torch.tensor([0.5, 0, 0]))) < float(disagreement(logits, -logits))


def test_an_epoch_shows_every_text_once_beside_those_of_its_length():
    texts = ["x" * n for n in np.random.default_rng(0).permutation(200)]
    batches = list(length_batches(texts, 16, np.random.default_rng(1)))
    assert len(batches) == steps_per_epoch(200, 16)
    assert sorted(np.concatenate(batches).tolist()) == list(range(200))
    assert max(np.ptp([len(texts[i]) for i in batch]) for batch in batches) < 50


def test_a_split_takes_each_class_in_proportion_and_leaves_one_of_the_rarest():
    label = np.repeat([0, 1, 2], [40, 20, 1])
    train, held_back = stratified_split(label, 0.25, 0)
    assert np.bincount(label[held_back], minlength=3).tolist() == [10, 5, 0]
    assert sorted([*train, *held_back]) == list(range(61))


def test_few_of_each_class_are_drawn_and_a_thinned_task_has_so_many_rows(questions: Labelled):
    assert np.bincount(questions.label[few_of_each(questions.label, 4, 0)]).tolist() == [4, 4, 4]
    assert len(thinned(Task(questions, questions, questions, False), 27, 0).train.texts) == 27
