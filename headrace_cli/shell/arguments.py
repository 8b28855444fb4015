"""Options that are checked while the command line is read: before data, models or torch are loaded.

Each check is a callback of typer's: it gets the option and its value, and returns the value or raises a UsageError.
"""

import errno
import os
import stat
from pathlib import Path
from typing import Final

import typer

from headrace.errors import UsageError

DEVICES: Final = ("auto", "cpu", "cuda")
#: numpy's generators take no other seeds.
LARGEST_SEED: Final = 2**32 - 1


def readable_file(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """A file, a pipe or a device that can be read; None where the option was left out."""
    if path is not None and (number := _unreadable(path, folder=False)):
        raise UsageError(f"{_name(option)}: cannot read {path}: {os.strerror(number)}")
    return path


def readable_files(option: typer.CallbackParam, paths: list[Path] | None) -> list[Path] | None:
    """Such files, where an option or argument takes several."""
    for path in paths or []:
        readable_file(option, path)
    return paths


def readable_folder(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """A folder that can be read."""
    if path is not None and (number := _unreadable(path, folder=True)):
        raise UsageError(f"{_name(option)}: cannot read {path}: {os.strerror(number)}")
    return path


def new_file(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """A file that can be written into a folder that is there."""
    return _writable(option, path, folder=False, parents=False)


def new_file_and_folders(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """A file that can be written; folders above it are made."""
    return _writable(option, path, folder=False, parents=True)


def new_folder(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """A folder that can be written, with those above it."""
    return _writable(option, path, folder=True, parents=True)


def folder_of_its_own(option: typer.CallbackParam, path: Path | None) -> Path | None:
    """A folder that is not there yet: what is there is not replaced."""
    if path is not None and path.exists():
        raise UsageError(f"{_name(option)} {path}: it exists; name a new folder")
    return new_folder(option, path)


def method(name: str) -> str:
    """The name of a way to fine-tune."""
    from trainer.text.finetuning.methods import parse_method

    return parse_method(name)


def methods(names: str) -> str:
    """Such names, separated by commas."""
    for name in names.split(","):
        method(name.strip())
    return names


def device(option: typer.CallbackParam, name: str) -> str:
    """The name of a device; whether the machine has it only torch can tell."""
    if name not in DEVICES:
        raise UsageError(f"{_name(option)} {name}: it must be {', '.join(DEVICES[:-1])} or {DEVICES[-1]}")
    return name


def _unreadable(path: Path, *, folder: bool) -> int:
    """What reading would fail with, 0 if nothing; nothing is opened, since a pipe could not be opened again."""
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        return error.errno or errno.EIO
    if is_folder != folder:
        return errno.EISDIR if is_folder else errno.ENOTDIR
    return 0 if os.access(path, os.R_OK) else errno.EACCES


def _writable(option: typer.CallbackParam, path: Path | None, *, folder: bool, parents: bool) -> Path | None:
    if path is not None and (number := _unwritable(path, folder=folder, parents=parents)):
        raise UsageError(f"{_name(option)}: cannot write {path}: {os.strerror(number)}")
    return path


def _unwritable(path: Path, *, folder: bool, parents: bool) -> int:
    """What writing would fail with, 0 if nothing; nothing is made."""
    try:
        if path.exists() and not path.is_dir() and (folder or not path.is_file()):
            return errno.ENOTDIR if folder else 0  # no regular file, but a pipe or a terminal: written to as it comes
        if path.is_dir() and not folder:
            return errno.EISDIR
        above = path.resolve() if path.is_dir() else path.resolve().parent
        while parents and not above.exists():
            above = above.parent
        if not above.is_dir():
            return errno.ENOTDIR if above.exists() else errno.ENOENT
    except OSError as error:
        return error.errno or errno.EIO
    return 0 if os.access(above, os.W_OK | os.X_OK) else errno.EACCES


def _name(option: typer.CallbackParam) -> str:
    """As the user writes it; an argument by its name in the help."""
    opts: list[str] = option.opts
    return opts[-1] if opts[-1].startswith("-") else (option.metavar or opts[-1].upper())
