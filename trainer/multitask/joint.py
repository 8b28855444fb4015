"""Learn several tasks with one encoder; the epoch whose mean validation score is best is the one kept."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from trainer.multitask.config import MultitaskConfig
from trainer.multitask.sampling import endless, rows_of_a_step
from trainer.multitask.tasks import Task
from trainer.multitask.weighting import make_weighting
from trainer.text.encoder import TextModel
from trainer.text.finetuning.adaptation import Adapted
from trainer.text.finetuning.descent import Descent
from trainer.training_loop.fit import OnProgress
from trainer.training_loop.precision import mixed


class Scored(NamedTuple):
    """A task's figures, 0 to 1: accuracy, or recall@1 of pairs."""

    valid: float
    test: float


def fit_tasks(
    model: TextModel, tasks: list[Task], config: MultitaskConfig, seed: int, on_progress: OnProgress
) -> dict[str, Scored]:
    """Fine-tune one encoder on all tasks; test rows only score, once."""
    training_task = _JointTrainingTask(model, tasks, config, seed, on_progress)
    valid = training_task.scores()
    best, weights = -math.inf, training_task.weights()
    for _ in range(config.epochs):
        training_task.run_epoch()
        found = training_task.scores()
        if (mean := sum(found.values()) / len(found)) > best:
            best, valid, weights = mean, found, training_task.weights()
    training_task.restore(weights)
    return {task.name: Scored(valid[task.name], training_task.test(task)) for task in tasks}


class _JointTrainingTask:
    """An encoder and its heads that are being fine-tuned."""

    def __init__(
        self, model: TextModel, tasks: list[Task], config: MultitaskConfig, seed: int, on_progress: OnProgress
    ) -> None:
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        sizes = [task.rows for task in tasks]
        self._epoch_steps = max(1, -(-sum(sizes) // config.batch))
        self._steps = config.epochs * self._epoch_steps
        counts = rows_of_a_step(sizes, config.batch, config.temperature)
        self._rows = [endless(size, count, rng) for size, count in zip(sizes, counts, strict=True)]
        self._adapted = Adapted(model.encoder, config.method, self._steps)
        self._heads = nn.ModuleDict({task.name: task.head(model) for task in tasks})
        self._weighting = make_weighting(config.weighting, len(tasks))
        own = [*self._heads.parameters(), *self._weighting.parameters()]
        groups = [(self._adapted.parameters(), config.learning_rate), (own, config.head_learning_rate)]
        self._descent = Descent(groups, self._steps)
        self._tasks, self._on_progress, self._parameters = tasks, on_progress, [*self._adapted.parameters(), *own]
        self._model = model._replace(encoder=self._adapted.encoder)
        self._note = ""

    def run_epoch(self) -> None:
        """As many rows as all tasks have together."""
        self._adapted.encoder.train()
        for _ in range(self._epoch_steps):
            losses = [
                task.loss(self._encode, self._heads[task.name], next(rows))
                for task, rows in zip(self._tasks, self._rows, strict=True)
            ]
            self._descent.step(self._weighting(losses, self._adapted.parameters()) + self._adapted.penalty())
            self._adapted.after_step(self._descent.done)
            self._on_progress("+".join(self._heads), self._descent.done, self._steps, self._note)
        self._adapted.encoder.eval()

    def scores(self) -> dict[str, float]:
        """Every task on its validation rows."""
        self._adapted.encoder.eval()
        found = {task.name: task.score(self._model, self._heads[task.name], "valid") for task in self._tasks}
        self._note = "validation " + " ".join(f"{value:.3f}" for value in found.values())
        return found

    def test(self, task: Task) -> float:
        """A task on its test rows."""
        return task.score(self._model, self._heads[task.name], "test")

    def weights(self) -> list[Tensor]:
        """A copy of all that is fitted."""
        return [p.detach().clone() for p in self._parameters]

    @torch.no_grad()
    def restore(self, weights: list[Tensor]) -> None:
        """Go back to a copy."""
        for parameter, weight in zip(self._parameters, weights, strict=True):
            parameter.copy_(weight)

    def _encode(self, texts: list[str]) -> Tensor:
        device = self._parameters[0].device
        with mixed(device):
            return self._model.encoder(*self._model.tokens(texts, device)).float()
