"""What shapes the behaviour model and how it is fitted: one struct, from a file or from the defaults."""

from codecs import BOM_UTF8
from pathlib import Path

import msgspec
from msgspec import Struct, field

from headrace.errors import UsageError
from trainer.training_loop.schedule import Schedule


class BehaviourConfig(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Shape and recipe of encoder, items and next-item head."""

    width: int = 64
    blocks: int = 1
    heads: int = 2
    feed: int = 2
    """Width of a block's hidden layer, in widths."""
    dropout: float = 0.1
    id_dropout: float = 0.15
    """Share of items that lose their id in a step, so that text and attributes learn to stand alone."""
    learning_rate: float = 3e-3
    weight_decay: float = 0.0
    tokens: int = 2_048
    """Events a step, padding included."""
    epochs: int = 14
    patience: int = 3
    schedule: Schedule = "plateau"
    accumulate: int = 1
    """Batches a step takes on each process."""
    average: float = 0.0
    """Decay of averaged weights, kept where they validate better; 0 for none."""
    negatives: int = 0
    """Negatives of a sampled softmax with logQ correction; 0 for the full softmax."""
    action_weights: tuple[float, float, float] = field(default=(0.4, 0.2, 0.4), name="wishes")
    """What a view, a cart and a purchase weigh in the loss and in the score; those a stream lacks are left out.

    A settings file names it `wishes`."""

    def __post_init__(self) -> None:
        """Refuse what no model can be made of."""
        if self.heads < 1 or self.width % self.heads:
            raise ValueError(f"width {self.width} must be a multiple of heads {self.heads}")
        for name in ("dropout", "id_dropout", "average"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be from 0 to below 1")
        for name in ("width", "blocks", "feed", "tokens", "epochs", "patience", "accumulate"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)} must be 1 or more")
        if min(self.action_weights) < 0 or sum(self.action_weights) <= 0:
            raise ValueError(f"wishes {self.action_weights} must not be negative, and one must be positive")


def read_settings(path: Path) -> BehaviourConfig:
    """Read settings from a JSON file; what it does not name keeps its default.

    Raises:
        UsageError: no such file, or a setting that is unknown or not allowed.
    """
    try:
        return msgspec.json.decode(path.read_bytes().removeprefix(BOM_UTF8), type=BehaviourConfig)
    except OSError as error:
        raise UsageError(f"--settings {path}: {error.strerror}; give a JSON file") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # of the struct's own check, too
        raise UsageError(f"--settings {path}: {error}") from error
