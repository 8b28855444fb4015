"""What a training run writes: whole or not at all, also when a disk fills or a process dies while writing."""

import shutil
from pathlib import Path

from headrace.errors import ModelError
from headrace.files.atomic import write_atomic


def write_whole(path: Path, content: bytes) -> None:
    """Write a file of a training run: a reader sees the old one or the new one.

    Raises:
        ModelError: it cannot be written; what was there before is untouched.
    """
    try:
        write_atomic(path, content)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> ModelError:
    """The one line for a file or folder that a full or broken disk refused."""
    near = next((folder for folder in path.absolute().parents if folder.exists()), Path("/"))
    free = shutil.disk_usage(near).free / 1e6
    return ModelError(
        f"{path} cannot be written: {error.strerror or error} ({free:,.1f} MB free there); "
        "what it held before is kept. Make room and go on with --resume"
    )
