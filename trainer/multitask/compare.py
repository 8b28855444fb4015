"""Each task alone beside all together, over several seeds: what sharing an encoder gives, and whom it hurts."""

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
import torch
from msgspec import Struct

from trainer.multitask.config import MultitaskConfig
from trainer.multitask.joint import Scored, fit_tasks
from trainer.multitask.tasks import Task
from trainer.text.encoder import TextModel, load_text_model
from trainer.training_loop.fit import OnProgress

_TOKENS: Final = 32
"""Of a text: a question, a sentence, the beginning of an offer."""


class Spread(Struct, frozen=True):
    """Mean and standard deviation over seeds."""

    mean: float
    sd: float
    seeds: int

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Of a figure's values, one a seed."""
        sd = float(np.std(values, ddof=min(1, len(values) - 1)))
        return cls(round(float(np.mean(values)), 4), round(sd, 4), len(values))


class Compared(Struct, frozen=True):
    """A task's line of the table."""

    task: str
    alone: Spread
    together: Spread
    alone_valid: Spread
    together_valid: Spread
    hurt: bool
    """Whether sharing lowers the validation score by more than both standard deviations; one seed cannot tell."""

    @classmethod
    def of(cls, task: str, alone: Spread, together: Spread, alone_valid: Spread, together_valid: Spread) -> "Compared":
        """Compare; validation decides whether sharing hurts."""
        lost = alone_valid.mean - together_valid.mean
        hurt = alone_valid.seeds > 1 and lost > alone_valid.sd + together_valid.sd
        return cls(task, alone, together, alone_valid, together_valid, hurt)


class OneSeed(NamedTuple):
    """What each task scores with one seed; one kept apart scores the same in both."""

    alone: dict[str, Scored]
    together: dict[str, Scored]


class Setting(NamedTuple):
    """What is compared, and on what."""

    tasks: Callable[[int], list[Task]]
    """The tasks of a seed."""
    seeds: int
    device: torch.device
    text_encoder: str | None


def compare(setting: Setting, config: MultitaskConfig, on_progress: OnProgress) -> list[Compared]:
    """Learn each task alone and all that are not kept apart together, with each seed."""
    model = load_text_model(setting.text_encoder, setting.device, _TOKENS)
    runs = [compare_tasks(model, setting.tasks(seed), config, seed, on_progress) for seed in range(setting.seeds)]
    return table(runs)


def compare_tasks(
    model: TextModel, tasks: list[Task], config: MultitaskConfig, seed: int, on_progress: OnProgress
) -> OneSeed:
    """The same with one seed."""

    def seed_progress(what: str, done: int, total: int, note: str) -> None:
        on_progress(f"seed {seed}: {what}", done, total, note)

    alone: dict[str, Scored] = {}
    for task in tasks:
        alone |= fit_tasks(model, [task], config, seed, seed_progress)
    shared = [task for task in tasks if task.name not in config.apart]
    return OneSeed(alone, alone | (fit_tasks(model, shared, config, seed, seed_progress) if len(shared) > 1 else {}))


def table(runs: list[OneSeed]) -> list[Compared]:
    """A line for each task."""
    return [
        Compared.of(
            name,
            Spread.of([run.alone[name].test for run in runs]),
            Spread.of([run.together[name].test for run in runs]),
            Spread.of([run.alone[name].valid for run in runs]),
            Spread.of([run.together[name].valid for run in runs]),
        )
        for name in runs[0].alone
    ]
