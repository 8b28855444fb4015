"""Several tasks learn from one encoder; a missing label teaches nothing; sources are sampled as stated."""

from itertools import islice

import numpy as np
import pytest
import torch
from msgspec.structs import replace

from trainer.multitask.compare import Compared, Spread, compare_tasks
from trainer.multitask.config import WEIGHTINGS, MultitaskConfig, WeightingName
from trainer.multitask.joint import fit_tasks
from trainer.multitask.sampling import endless, rows_of_a_step
from trainer.multitask.tasks import MISSING, ClassTask, PairTask, masked_cross_entropy
from trainer.text.encoder import TextModel, load_text_model
from trainer.text.labelled import Labelled

_WORDS = {"card": ("card", "plastic", "chip"), "loan": ("loan", "credit", "debt")}
_MOODS = {"good": ("fine", "lovely", "great"), "bad": ("dull", "awful", "poor")}
_FRAMES = ("my {} here", "that {} now", "one {} please", "{} ?", "it is {}", "why {}", "so {} indeed", "a {} today")
CONFIG = MultitaskConfig(batch=16, epochs=3, learning_rate=5e-3, head_learning_rate=5e-3)


def rows(classes: dict[str, tuple[str, ...]]) -> Labelled:
    found = [(frame.format(w), name) for name, words in classes.items() for w in words for frame in _FRAMES]
    names = sorted(classes)
    return Labelled([text for text, _ in found], np.array([names.index(name) for _, name in found]), names)


@pytest.fixture(scope="module")
def model(tiny_encoder: str) -> TextModel:
    return load_text_model(tiny_encoder, torch.device("cpu"))


@pytest.fixture(scope="module")
def tasks() -> list[ClassTask | PairTask]:
    topic, mood = rows(_WORDS), rows(_MOODS)
    pairs = [(text, text.replace("plastic", "card").replace("fine", "great")) for text in topic.texts[:24]]
    return [
        ClassTask("topic", topic, topic, topic),
        ClassTask("mood", mood, mood, mood),
        PairTask("same", *[pairs] * 3),
    ]


def test_a_row_without_a_label_changes_nothing(model: TextModel, tasks: list[ClassTask]):
    logits, label = torch.randn(4, 3, requires_grad=True), torch.tensor([2, MISSING, 0, MISSING])
    loss = masked_cross_entropy(logits, label)
    loss.backward()
    assert torch.equal(loss, masked_cross_entropy(logits[[0, 2]], label[[0, 2]]))
    assert logits.grad[[1, 3]].abs().sum() == 0 < logits.grad[[0, 2]].abs().sum()


def test_rows_none_of_which_has_a_label_teach_nothing():
    logits = torch.randn(2, 3, requires_grad=True)
    loss = masked_cross_entropy(logits, torch.full((2,), MISSING))
    loss.backward()
    assert (float(loss.detach()), float(logits.grad.abs().sum())) == (0, 0)


def test_a_task_learns_from_the_rows_that_have_a_label(model: TextModel, tasks: list[ClassTask]):
    topic = tasks[0]
    label = topic.train.label.copy()
    label[::2] = MISSING
    torn = topic._replace(train=topic.train._replace(label=label))
    assert fit_tasks(model, [torn], CONFIG, 0, lambda *_: None)["topic"].test > 0.8


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_one_encoder_learns_all_tasks_by_every_weighting(weighting: WeightingName, model: TextModel, tasks: list):
    untrained = {task.name: task.score(model, task.head(model), "test") for task in tasks}
    found = fit_tasks(model, tasks, replace(CONFIG, weighting=weighting), 0, lambda *_: None)
    assert found.keys() == {"topic", "mood", "same"}
    # Of 16 rows a task one more or less is chance; 0.06 to 0.1 above were measured.
    assert sum(scored.test for scored in found.values()) > sum(untrained.values()) - 0.1
    assert min(found["topic"].test, found["mood"].test) > 0.8


def test_the_same_seed_gives_the_same_scores(model: TextModel, tasks: list):
    one, again = (fit_tasks(model, tasks[:2], CONFIG, 5, lambda *_: None) for _ in range(2))
    assert one == again


def test_the_encoder_that_was_given_is_left_as_it_was(model: TextModel, tasks: list):
    before = [p.clone() for p in model.encoder.parameters()]
    fit_tasks(model, tasks[:2], CONFIG, 0, lambda *_: None)
    assert all(torch.equal(p, q) for p, q in zip(before, model.encoder.parameters(), strict=True))


def test_a_task_kept_apart_shares_with_none(model: TextModel, tasks: list):
    shared: list[str] = []
    compared = compare_tasks(
        model, tasks, replace(CONFIG, epochs=1, apart=("mood",)), 0, lambda what, *_: shared.append(what)
    )
    assert compared.together["mood"] == compared.alone["mood"]
    assert "seed 0: topic+same" in shared
    assert not any("mood" in what and "+" in what for what in shared)


def test_a_line_says_whom_sharing_hurts_beyond_noise():
    def hurt(alone: Spread, together: Spread) -> bool:
        return Compared.of("topic", alone, together, alone, together).hurt

    assert hurt(Spread(0.9, 0.01, 3), Spread(0.87, 0.01, 3))
    assert not hurt(Spread(0.9, 0.02, 3), Spread(0.87, 0.02, 3))
    assert not hurt(Spread(0.9, 0.0, 3), Spread(0.91, 0.0, 3))
    assert not hurt(Spread.of([0.9]), Spread.of([0.8]))


def test_sources_are_drawn_by_the_root_of_their_size():
    assert rows_of_a_step([900, 100], 40, 1.0) == [36, 4]
    assert rows_of_a_step([900, 100], 40, 2.0) == [30, 10]
    assert rows_of_a_step([9_000, 1], 40, 1.0)[1] == 2


def test_every_row_comes_once_before_any_comes_again():
    drawn = list(islice(endless(10, 4, np.random.default_rng(0)), 5))
    assert sorted(np.concatenate(drawn).tolist()) == sorted([*range(10)] * 2)
    assert len(next(endless(3, 8, np.random.default_rng(0)))) == 3
