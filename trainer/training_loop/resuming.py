"""Which run a folder's checkpoints belong to: only the same run goes on from them."""

import shutil
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from headrace.errors import ModelError, UsageError
from trainer.training_loop.checkpoint import Checkpoints
from trainer.training_loop.complete import write_whole
from trainer.training_loop.processes import processes, wait_for_all

_FOLDER: Final = "checkpoints"
_IDENTITY: Final = "run.json"


class Identity(Struct, frozen=True):
    """All that decides a run's weights on a machine, by the names a user knows them by."""

    stream: str  # its sha256
    seed: int
    text_encoder: str
    processes: int
    settings: dict[str, Any]  # as JSON gives them back


def open_checkpoints(out: Path, identity: Identity, resume: bool) -> Checkpoints:
    """The checkpoints of a run: those that lie there when it is resumed, none when it is started.

    Raises:
        UsageError: what lies there belongs to another run.
        ModelError: the folder cannot be written, or is damaged.
    """
    folder = out / _FOLDER
    if processes().first:
        if resume and (folder / _IDENTITY).exists():
            _compare(folder, identity)
        else:
            shutil.rmtree(folder, ignore_errors=True)
            write_whole(folder / _IDENTITY, msgspec.json.encode(identity) + b"\n")
    wait_for_all()
    return Checkpoints(folder)


def drop_checkpoints(out: Path) -> None:
    """Delete them: the run has come to its end, and its results are written."""
    shutil.rmtree(out / _FOLDER, ignore_errors=True)


def _compare(folder: Path, identity: Identity) -> None:
    path = folder / _IDENTITY
    try:
        before = msgspec.json.decode(path.read_bytes(), type=Identity)
    except msgspec.DecodeError as error:
        raise ModelError(f"{path} is damaged ({error}); leave --resume out to train anew") from error
    other = [name for name in Identity.__struct_fields__ if getattr(before, name) != getattr(identity, name)]
    if other:
        raise UsageError(
            f"--resume: {folder} belongs to another run, with another {' and '.join(other)}; "
            "give what it was started with, or leave --resume out to train anew"
        )
