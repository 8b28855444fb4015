"""Which rows validate: carved from the training rows in code, each class in proportion, the same for a seed."""

import numpy as np

from headrace.arrays import Ints


def stratified_split(label: Ints, share: float, seed: int) -> tuple[Ints, Ints]:
    """Rows to train on and rows to hold back; a class keeps one row at least to train on.

    Args:
        label: class index of each row.
        share: of each class to hold back, 0 to 1, rounded.
    """
    rng = np.random.default_rng(seed)
    train: list[Ints] = []
    held_back: list[Ints] = []
    for number in np.unique(label):
        rows = rng.permutation(np.flatnonzero(label == number))
        back = min(len(rows) - 1, round(share * len(rows)))
        held_back.append(rows[:back])
        train.append(rows[back:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(held_back))


def few_of_each(label: Ints, shots: int, seed: int) -> Ints:
    """Rows of a few-shot sample: so many of each class, fewer where it has fewer."""
    rng = np.random.default_rng(seed)
    return np.sort(
        np.concatenate([rng.permutation(np.flatnonzero(label == number))[:shots] for number in np.unique(label)])
    )
