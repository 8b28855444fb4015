"""Every fine-tuning method on one task: quality, trainable share, seconds, peak memory."""

import multiprocessing
import resource
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import torch
from msgspec import Struct

from trainer.text.encoder import load_text_model
from trainer.text.evaluation import MOST_TOKENS, evaluate_task
from trainer.text.finetuning.adaptation import Method
from trainer.text.finetuning.finetuning import LEARNING_RATES, Recipe
from trainer.text.tasks import Task
from trainer.training_loop.device import use_cores


class Compared(Struct):
    """A method's line of the table."""

    method: str
    accuracy: float
    valid_accuracy: float
    trainable_share: float
    seconds: float
    peak_memory_mb: int  # of the device where it is a GPU, else of the process with all its libraries


class Setting(Struct):
    """What all methods have in common."""

    task: Task
    epochs: int
    seed: int
    device: str
    text_encoder: str | None


def compare(setting: Setting, methods: list[Method]) -> Iterator[Compared]:
    """Run each method in a process of its own, so that its peak memory is its own too."""
    for method in methods:
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            yield pool.submit(run_method, setting, method).result()


def run_method(setting: Setting, method: Method) -> Compared:
    """One method in this process."""
    use_cores()
    device = torch.device(setting.device)
    model = load_text_model(setting.text_encoder, device, MOST_TOKENS)
    recipe = Recipe(LEARNING_RATES[method], setting.epochs, patience=setting.epochs)
    # No last fit on the validation rows: the methods are compared on the rows that were asked for.
    task = setting.task._replace(carved=False, outliers=None)
    scores, _ = evaluate_task(model, task, method, recipe, setting.seed, _no_progress)
    return Compared(
        method=method,
        accuracy=scores.accuracy,
        valid_accuracy=scores.valid_accuracy,
        trainable_share=scores.trainable_share,
        seconds=scores.seconds,
        peak_memory_mb=_peak_memory_mb(device),
    )


def _no_progress(what: str, done: int, total: int, note: str) -> None:
    """Progress of a process whose standard error is not the user's to watch."""


def _peak_memory_mb(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) // 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**10
