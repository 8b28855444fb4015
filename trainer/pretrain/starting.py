"""Fit a model that starts from a pretrained one: what belongs to the shop first, then everything, more slowly.

The encoder stays as it is while ids and biases are new, since their first gradients would shake what it knows
(gradual unfreezing, Howard & Ruder, ACL 2018). The second fit validates before its first step, so that it can only
better the first one's validation loss.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from trainer.behaviour.model import ShopperModel
from trainer.behaviour.next_item import Stage, fit_next_item
from trainer.data.popularity import Popularity
from trainer.data.shop import Sequences
from trainer.pretrain.pretrained import Pretrained
from trainer.training_loop.fit import Fitted, OnProgress
from trainer.training_loop.run import Run

_KEPT: Final = Stage("next item around the encoder")
_ALL: Final = Stage(rate=1 / 3)


def fit_from(
    start: Pretrained,
    model: ShopperModel,
    sequences: Sequences,
    popularity: Popularity,
    split: int,
    seed: int,
    on_progress: OnProgress,
    *,
    run: Run | None = None,
) -> Fitted:
    """Copy the pretrained weights into a new model and fit it; arguments as of `fit_next_item`."""
    start.start(model)
    with _kept(model):
        fit_next_item(model, sequences, popularity, split, seed, on_progress, run=run, stage=_KEPT)
    return fit_next_item(model, sequences, popularity, split, seed, on_progress, run=run, stage=_ALL)


@contextmanager
def _kept(model: ShopperModel) -> Generator[None]:
    """Encoder and projection of texts take no gradients for as long as the block lasts."""
    carried = [p for part in (model.encoder, model.items.text) if part is not None for p in part.parameters()]
    for parameter in carried:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in carried:
            parameter.requires_grad_(True)
