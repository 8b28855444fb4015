"""What surrounds the fits of one training run: where checkpoints go, and who follows the curves."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from trainer.training_loop.checkpoint import Checkpoints


class Watch(Protocol):
    """Told after every epoch of a fit: its name, the epoch from 1, and the curves' new points by name."""

    def __call__(self, what: str, epoch: int, curves: Mapping[str, float]) -> None: ...


class Run(NamedTuple):
    """Handed to every fit of a run; without one a fit keeps nothing and tells nobody but the progress bar."""

    checkpoints: Checkpoints | None = None
    watch: Watch | None = None
