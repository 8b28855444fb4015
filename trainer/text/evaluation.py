"""Fine-tune on a task, score its test rows once."""

import time
from typing import Final

from msgspec import Struct

from trainer.text.classifier import Classifier
from trainer.text.encoder import TextModel
from trainer.text.finetuning.adaptation import Method
from trainer.text.finetuning.few_shot import few_shot, zero_shot
from trainer.text.finetuning.finetuning import Recipe, fit_classifier, refit_classifier
from trainer.text.finetuning.outliers import SCORES, Seen, auroc, best_score
from trainer.text.finetuning.splits import few_of_each
from trainer.text.heads import accuracy
from trainer.text.labelled import Labelled
from trainer.text.tasks import Outliers, Task
from trainer.training_loop.fit import OnProgress

MOST_TOKENS: Final = 64
"""Of a question or a sentence: the longest of the public sets have about that many."""


class Scores(Struct):
    """What `headrace evaluate intent` and `sentiment` print."""

    accuracy: float
    valid_accuracy: float
    method: str
    epochs: int
    trainable_share: float
    rows: int
    classes: int
    test_rows: int
    seed: int
    seconds: float
    oos_auroc: float | None = None
    oos_score: str | None = None
    oos_valid_auroc: dict[str, float] | None = None


def evaluate_task(
    model: TextModel, task: Task, method: Method, recipe: Recipe, seed: int, on_progress: OnProgress
) -> tuple[Scores, Classifier]:
    """Learn, and score the test rows; validation rows that were carved from training rows go into a last fit."""
    began = time.perf_counter()
    fit_result = fit_classifier(model, task.train, task.valid, method, recipe, seed, on_progress)
    rows, classifier = task.train, fit_result.classifier
    if task.carved:
        rows = task.train + task.valid
        classifier = refit_classifier(model, rows, fit_result, method, recipe, seed, on_progress)
    scores = Scores(
        accuracy=accuracy(classifier.logits(task.test.texts), task.test.label),
        valid_accuracy=fit_result.valid_accuracy,
        method=method,
        epochs=fit_result.epochs,
        trainable_share=fit_result.trainable_share,
        rows=len(rows.texts),
        classes=len(rows.classes),
        test_rows=len(task.test.texts),
        seed=seed,
        seconds=0.0,
    )
    if task.outliers is not None:
        _score_outliers(scores, classifier, task, task.outliers)
    scores.seconds = round(time.perf_counter() - began, 2)
    return scores, classifier


def _score_outliers(scores: Scores, classifier: Classifier, task: Task, outliers: Outliers) -> None:
    """Choose a score on validation texts, measure it on test texts."""
    train_NT = classifier.vectors(task.train.texts)

    def seen(texts: list[str]) -> Seen:
        x_MT = classifier.vectors(texts)
        return Seen(train_NT, task.train.label, x_MT, classifier.head(x_MT).detach())

    name, found = best_score(seen(task.valid.texts), seen(outliers.valid))
    scores.oos_score, scores.oos_valid_auroc = name, found
    scores.oos_auroc = auroc(SCORES[name](seen(task.test.texts)), SCORES[name](seen(outliers.test)))


class FewShotScores(Struct):
    """What `headrace finetune few-shot` prints."""

    accuracy: dict[str, float]  # on the test rows: zero_shot, frozen, and the method asked for; empty without them
    method: str
    shots: int
    examples: int
    classes: int
    test_rows: int
    seed: int
    seconds: float


def evaluate_few_shot(
    model: TextModel,
    rows: Labelled,
    test: Labelled | None,
    shots: int,
    method: Method,
    seed: int,
    on_progress: OnProgress,
) -> tuple[FewShotScores, Classifier]:
    """Draw the examples, learn from them, and score the test rows with it and with what needs less."""
    began = time.perf_counter()
    examples = rows.rows(few_of_each(rows.label, shots, seed))
    classifier = few_shot(model, examples, method, seed, on_progress)
    seconds = round(time.perf_counter() - began, 1)
    candidates = {"zero_shot": zero_shot(model, rows.classes)}
    candidates["frozen"] = few_shot(model, examples, Method.FROZEN, seed, on_progress)
    candidates[method] = classifier
    found = {} if test is None else {n: accuracy(c.logits(test.texts), test.label) for n, c in candidates.items()}
    tested = 0 if test is None else len(test.texts)
    counts = len(examples.texts), len(rows.classes), tested
    return FewShotScores(found, method, shots, *counts, seed, seconds), classifier
