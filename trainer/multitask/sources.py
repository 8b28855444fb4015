"""The public sets as tasks, cut to a size that two cores can learn from."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from headrace.errors import UsageError
from trainer.multitask.tasks import ClassTask, PairTask, Task
from trainer.text.finetuning.splits import stratified_split
from trainer.text.labelled import Labelled
from trainer.text.matching.shop import read_shops
from trainer.text.tasks import public_task, thinned

_CLASSES: Final = {"intent": "banking77", "scope": "clinc150", "sentiment": "sst2"}


def _classes(name: str, data: Path, rows: int, seed: int) -> Task:
    whole = thinned(public_task(_CLASSES[name], data, seed), rows, seed)
    return ClassTask(name, whole.train, _thin(whole.valid, rows // 2), _thin(whole.test, 2 * rows))


def _matching(name: str, data: Path, rows: int, seed: int) -> Task:
    folder = data / "matching/abt_buy"
    shops = read_shops(*(folder / f"{part}clean.csv" for part in ("abt", "buy", "gt")))
    pairs = [(shops.first[a], shops.second[b]) for a, b in shops.pair_n2]
    order = np.random.default_rng(0).permutation(len(pairs))  # the same test pairs for every seed
    test, valid, train = np.split(order, [len(pairs) // 4, 2 * len(pairs) // 5])
    train = np.random.default_rng(seed).permutation(train)[:rows]
    parts = (train, valid[: rows // 2], test[: 2 * rows])
    return PairTask(name, *([pairs[i] for i in part] for part in parts))


TASKS: Final[dict[str, Callable[[str, Path, int, int], Task]]] = {
    "intent": _classes,
    "scope": _classes,
    "sentiment": _classes,
    "matching": _matching,
}
"""BANKING77's 77 intents, CLINC150's 150, SST-2's two sentiments, Abt-Buy's pairs."""


def read_tasks(names: list[str], data: Path, rows: int, seed: int) -> list[Task]:
    """Read tasks, each with so many training rows at most, half as many that validate and twice as many that score.

    Training rows are drawn by the seed; test rows are the same for all seeds.

    Raises:
        UsageError: there is no such task, one is named twice, or its files are missing.
    """
    for name in names:
        if name not in TASKS or names.count(name) > 1:
            raise UsageError(f"--tasks {','.join(names)}: name each of {', '.join(TASKS)} at most once")
    return [TASKS[name](name, data, rows, seed) for name in names]


def _thin(rows: Labelled, most: int) -> Labelled:
    if len(rows.texts) <= most:
        return rows
    return rows.rows(stratified_split(rows.label, most / len(rows.texts), 0)[1])
