"""Sequences cut into windows: what the encoder sees, and which item comes next."""

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from feature_repo.basics.actions import ACTION_CODE
from headrace.arrays import HISTORY, Ints
from trainer.data.shop import Sequences

NO_TARGET = -1

#: The actions that the next-item head predicts, and those of a recorded stream that count as each.
TARGET_ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "view": ("view", "click"),
    "add_to_cart": ("add_to_cart",),
    "purchase": ("purchase",),
}


class Batch(NamedTuple):
    """Windows of equal width W ≤ L, right-aligned. A actions."""

    item: Tensor  # [B, W]  row of the item, 0 where action is 0
    action: Tensor  # [B, W]  action and channel
    time: Tensor  # [B, W]  ms
    target: Tensor  # [B, W, A]  rows of the next items wished for, NO_TARGET where there is none
    step: Tensor  # [B, W]  point in time of the popularity that was known then


class Targets(NamedTuple):
    """What follows each event of the sequences. T events."""

    item: Ints  # [T]  the next wanted item other than the event's own, or NO_TARGET
    time: Ints  # [T]  when; 0 without target


def next_items(sequences: Sequences, selected: NDArray[np.bool_] | None = None) -> Targets:
    """Find, for each event, the next wanted item that differs from the event's own.

    The event's own item is never recommended in answer to it, so to predict it would be wasted.

    Args:
        asked: the events whose items are looked for; None for all wanted ones. [T]
    """
    return _next_where(sequences, sequences.wanted if selected is None else selected)


def next_actions(sequences: Sequences) -> Targets:
    """The same for each action of `TARGET_ACTIONS`: the next item viewed, put in the cart, bought. [T, A] each"""
    found = [
        _next_where(sequences, np.isin(sequences.action, [ACTION_CODE[a] for a in actions]))
        for actions in TARGET_ACTIONS.values()
    ]
    return Targets(np.stack([f.item for f in found], axis=1), np.stack([f.time for f in found], axis=1))


def _next_where(sequences: Sequences, selected: NDArray[np.bool_]) -> Targets:
    item = np.full(len(sequences.item), NO_TARGET, np.int64)
    time = np.zeros(len(sequences.item), np.int64)
    for begin, end in zip(sequences.start[:-1], sequences.start[1:], strict=True):
        following = other = -1  # the nearest event asked for ahead, and the nearest one of another item than that
        for at in range(end - 1, begin - 1, -1):
            own = sequences.item[at]
            same = following >= 0 and sequences.item[following] == own
            found = other if same else following
            if found >= 0:
                item[at], time[at] = sequences.item[found], sequences.time[found]
            if selected[at]:
                other, following = found, at
    return Targets(item, time)


class Windows(NamedTuple):
    """Cuts sequences into windows, anew in every epoch so that each event stands at many places."""

    sequences: Sequences
    target: Ints  # [T, A]
    step: Ints  # [T]

    def batches(self, tokens: int, rng: np.random.Generator, device: torch.device) -> Iterator[Batch]:
        """Windows in random order, those of like length together, since padding costs as much as events.

        Args:
            tokens: most events of a batch, padding included.
        """
        begin, end = self._cut(rng)
        length = end - begin
        order = np.argsort(length + rng.random(len(length)), kind="stable")
        cuts = _slices(length[order], tokens)
        for k in rng.permutation(len(cuts)):
            rows = order[cuts[k]]
            yield self._batch(begin[rows], end[rows], device)

    def count(self, tokens: int) -> int:
        """About how many batches an epoch has."""
        begin, end = self._cut(np.random.default_rng(0))
        return len(_slices(np.sort(end - begin), tokens))

    def _cut(self, rng: np.random.Generator) -> tuple[Ints, Ints]:
        edges: list[Ints] = []
        for first, last in zip(self.sequences.start[:-1], self.sequences.start[1:], strict=True):
            shift = int(rng.integers(HISTORY)) if last - first > HISTORY else 0
            edges.append(np.unique(np.append(np.arange(first + shift, last, HISTORY), [first, last])))
        begin = np.concatenate([e[:-1] for e in edges])
        end = np.concatenate([e[1:] for e in edges])
        targets_so_far = np.append(0, np.cumsum((self.target != NO_TARGET).any(axis=1)))
        useful = targets_so_far[end] > targets_so_far[begin]
        return begin[useful], end[useful]

    def _batch(self, begin: Ints, end: Ints, device: torch.device) -> Batch:
        width = int((end - begin).max())
        at = end[:, None] + np.arange(-width, 0)[None]
        inside = at >= begin[:, None]
        at = np.where(inside, at, 0)
        source = self.sequences
        fills = ((source.item, 0), (source.code, 0), (source.time, 0), (self.target, NO_TARGET), (self.step, 0))
        parts = [np.where(inside.reshape(*at.shape, *[1] * (a.ndim - 1)), a[at], fill) for a, fill in fills]
        return Batch(*(torch.from_numpy(part).to(device) for part in parts))


def _slices(length: Ints, tokens: int) -> list[slice]:
    """Cut ascending lengths into runs of at most `tokens`, padding included, and one window at least."""
    cuts: list[slice] = []
    first = 0
    for at, widest in enumerate(length):
        if at > first and int(widest) * (at + 1 - first) > tokens:
            cuts.append(slice(first, at))
            first = at
    return [*cuts, slice(first, len(length))] if len(length) else []
