"""Files that appear whole or not at all, also when a disk fills or a process dies while writing."""

import os
import shutil
from pathlib import Path

from streams.errors import ModelError


def write_whole(path: Path, content: bytes) -> None:
    """Write a file beside its place, force it to disk, then put it there: a reader sees the old one or the new one.

    Raises:
        ModelError: it cannot be written; what was there before is untouched.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def sync_folder(folder: Path) -> None:
    """Force a folder's list of names to disk: until then a rename may be lost with the power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def cannot_write(path: Path, error: OSError) -> ModelError:
    """The one line for a file or folder that a full or broken disk refused."""
    near = next((folder for folder in path.absolute().parents if folder.exists()), Path("/"))
    free = shutil.disk_usage(near).free / 1e6
    return ModelError(
        f"{path} cannot be written: {error.strerror or error} ({free:,.1f} MB free there); "
        "what it held before is kept. Make room and go on with --resume"
    )
