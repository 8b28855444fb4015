"""A pretrained encoder on disk, and how a model for another shop starts from it.

What carries over knows no item by name: the encoder, the projection of texts, and how popularity counts. Ids and what
each item scores for everyone belong to a shop and start anew.
"""

from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import torch
from torch import Tensor

from headrace.errors import ModelError, UsageError
from trainer.behaviour.config import BehaviourConfig
from trainer.behaviour.model import ShopperModel
from trainer.training_loop.checkpoint import load_state, save_state

_KIND: Final = "pretrained behaviour encoder"
_CARRIED: Final = ("encoder.", "items.text.linear.", "items.unknown", "popularity_weight")
_SHAPE: Final = ("width", "blocks", "heads", "feed")
_RENAMED: Final = {"encoder.wishes.turn_ADD": "encoder.action_heads.turn_ADD"}
"""Names of weights in files of earlier versions, and those that the model has now."""


class Pretrained(NamedTuple):
    """Weights that carry over, what shaped them, and where they come from."""

    settings: BehaviourConfig
    text_encoder: str
    source: dict[str, Any]  # name, bytes and sha256 of the stream
    weights: dict[str, Tensor]

    @classmethod
    def of(cls, model: ShopperModel, text_encoder: str, source: dict[str, Any]) -> "Pretrained":
        """What of a fitted model carries over."""
        weights = {name: p.detach().cpu().clone() for name, p in model.named_parameters() if name.startswith(_CARRIED)}
        return cls(model.config, text_encoder, source, weights)

    def save(self, path: Path) -> None:
        """Write the file, whole or not at all.

        Raises:
            ModelError: the disk refuses.
        """
        state = {"kind": _KIND, **self._asdict(), "settings": msgspec.to_builtins(self.settings)}
        save_state(path, state)

    def check(self, config: BehaviourConfig, text_encoder: str) -> None:
        """See that a model of these settings can start from it.

        Raises:
            UsageError: another shape, or texts that another encoder reads.
        """
        for name in _SHAPE:
            if getattr(config, name) != (needed := getattr(self.settings, name)):
                raise UsageError(
                    f"--pretrained has {name} {needed}, the settings {getattr(config, name)}; use {needed}"
                )
        if text_encoder != self.text_encoder:
            raise UsageError(f"--pretrained reads texts by {self.text_encoder}; give that as --text-encoder")

    @torch.no_grad()
    def start(self, model: ShopperModel) -> None:
        """Copy the weights into a new model, and let its items begin as what their texts say."""
        model.load_state_dict({**model.state_dict(), **self.weights})
        model.items.ids.weight.copy_(model.items.unknown.expand_as(model.items.ids.weight))


def read_pretrained(path: Path) -> Pretrained:
    """Read what `headrace pretrain` wrote.

    Raises:
        UsageError: no such file, or another kind of file.
        ModelError: it is not whole.
    """
    try:
        state = load_state(path)
    except OSError as error:
        raise UsageError(
            f"--pretrained {path}: {error.strerror}; give a file that `headrace pretrain` wrote"
        ) from error
    except ModelError as error:
        raise ModelError(f"--pretrained {path} is damaged or was not written by `headrace pretrain`") from error
    if state.get("kind") != _KIND:
        raise UsageError(f"--pretrained {path}: it was not written by `headrace pretrain`")
    settings = msgspec.convert(state["settings"], BehaviourConfig)
    stored: dict[str, Tensor] = state["weights"]
    weights = {_RENAMED.get(name, name): weight for name, weight in stored.items()}
    return Pretrained(settings, state["text_encoder"], state["source"], weights)
