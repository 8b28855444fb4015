"""Leave one out: each user's last item is the test, the one before it validates, the rest is learnt from."""

from typing import NamedTuple

import numpy as np

from feature_repo.basics.actions import ACTION_CODE
from headrace.arrays import Ints
from trainer.data.shop import Sequences

_TAKEN = ACTION_CODE["purchase"]


class Holdout(NamedTuple):
    """One fold: what may be learnt from, and what must be found after which history."""

    train: list[Ints]  # one array of item rows a user
    history: list[Ints]  # of the users that are asked
    target: Ints  # [U]  what each took up next


def hold_out(sequences: list[Ints], last: int) -> Holdout:
    """Hold back the last items of each user and ask for the first of them.

    Args:
        taken: what each user took up.
        last: how many are held back: 2 asks for the validation item, 1 for the test item. A user who has no more
            than these is learnt from as far as possible and not asked: nothing would be known of them.
    """
    train = [items[:-last] if len(items) > last else items[:1] for items in sequences]
    evaluated = [items for items in sequences if len(items) > last]
    return Holdout(train, [q[:-last] for q in evaluated], np.array([q[-last] for q in evaluated], np.int64))


def as_sequences(train: list[Ints]) -> Sequences:
    """Sequences without times: a file of this form tells the order alone."""
    item = np.concatenate(train) if train else np.zeros(0, np.int64)
    start = np.cumsum([0, *map(len, train)])
    return Sequences(item, np.full(len(item), _TAKEN, np.int32), np.zeros(len(item), np.int64), start)
