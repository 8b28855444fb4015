"""Checkpoints: the state of a fit on disk, from which a broken run goes on as if it had never stopped."""

import hashlib
import io
import re
import time
from pathlib import Path
from typing import Any, Final

import torch

from headrace.errors import ModelError
from trainer.training_loop.complete import write_whole

_HEADER: Final = b"headrace checkpoint 1 sha256 "
_HEX: Final = 64
_EVERY_S: Final = 60.0

State = dict[str, Any]


class Checkpoints:
    """The checkpoints of one run, one file for each fit in it."""

    def __init__(self, folder: Path, every_s: float = _EVERY_S) -> None:
        """Args: every_s: seconds of training that a crash may cost."""
        self.folder = folder
        self._every_s = every_s
        self._saved = time.monotonic()

    def due(self) -> bool:
        """Whether the last one is old enough for the next."""
        return time.monotonic() - self._saved >= self._every_s

    def save(self, what: str, state: State) -> None:
        """Replace the checkpoint of a fit.

        Raises:
            ModelError: the disk refuses; the one before is kept.
        """
        save_state(self.path(what), state)
        self._saved = time.monotonic()

    def load(self, what: str) -> State | None:
        """The newest checkpoint of a fit; None where there is none.

        Raises:
            ModelError: the file is damaged.
        """
        path = self.path(what)
        return load_state(path) if path.exists() else None

    def path(self, what: str) -> Path:
        """Where the checkpoint of a fit lies."""
        return self.folder / f"{re.sub(r'[^a-z0-9]+', '-', what.lower())}.ckpt"


def save_state(path: Path, state: State) -> None:
    """Write tensors and plain values with a checksum in front.

    Raises:
        ModelError: the disk refuses; what the file held before is kept.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    write_whole(path, _HEADER + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)


def load_state(path: Path) -> State:
    """Read what `save_state` wrote, on the CPU.

    Raises:
        ModelError: the file is not whole.
    """
    content = path.read_bytes()
    start = len(_HEADER) + _HEX + 1
    stated, payload = content[len(_HEADER) : start - 1], content[start:]
    if not content.startswith(_HEADER) or hashlib.sha256(payload).hexdigest().encode() != stated:
        raise ModelError(f"{path} is damaged or half written; delete it and train again")
    return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
