"""Files and folders that appear whole or not at all: written beside their place, forced to disk, then renamed."""

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from headrace.errors import UsageError

_MOST_LINKS: Final = 40  # as Linux follows


@contextmanager
def output_file(path: Path) -> Generator[BinaryIO]:
    """As `atomic_file`, for a file that the user named.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        with atomic_file(path) as file:
            yield file
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror or error}") from error


@contextmanager
def atomic_file(path: Path) -> Generator[BinaryIO]:
    """A file to fill; at the block's end it takes the place of `path`. When the block fails, `path` is as it was.

    A link stays a link: what it leads to is replaced. What is no regular file (a pipe, a terminal, /dev/stdout) has
    no place to be put into, and is written to as it comes.

    Raises:
        OSError: the disk refuses, or another process is writing the file.
    """
    target = _destination(path)
    if target is None:
        with path.open("ab") as stream:  # never emptied: standard output may be a file that is appended to
            yield stream
        return
    partial = partial_of(target)
    file = _claim(partial)
    try:
        yield file
        file.flush()
        if target.exists():
            os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
        os.fsync(file.fileno())
        partial.replace(target)
        sync_folder(target.parent)
    except BaseException:  # Ctrl-C too
        partial.unlink(missing_ok=True)
        raise
    finally:
        file.close()


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write a whole file; text as UTF-8.

    Raises:
        OSError: it cannot be written; what was there before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_folder(path: Path) -> Generator[Path]:
    """A folder to fill; at the block's end it takes the place of `path`. When the block fails, `path` is as it was.

    Raises:
        OSError: the disk refuses.
    """
    partial, before = partial_of(path), path.with_name(f"{path.name}.before")
    if before.exists() and not path.exists():
        before.rename(path)  # a process died between the two renames below
    shutil.rmtree(partial, ignore_errors=True)  # of a process that died
    try:
        partial.mkdir(parents=True)
        yield partial
        _sync_files(partial)
        _exchange(partial, path, before)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def partial_of(path: Path) -> Path:
    """Where a file or folder is written before it takes its place."""
    return path.with_name(f"{path.name}.partial")


def sync_folder(folder: Path) -> None:
    """Force a folder's list of names to disk: until then a rename may be lost with the power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _destination(path: Path) -> Path | None:
    """Where a file of this name lies, links followed; None where no file can be put: a pipe, a device, /dev/stdout."""
    hop = path
    for _ in range(_MOST_LINKS):
        # An open file of a process looks like a link to its name, but is the open file itself.
        if hop.parent.resolve().is_relative_to("/proc"):
            return None
        if not hop.is_symlink():
            break
        hop = hop.parent / hop.readlink()
    if hop.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    return hop if hop.is_file() or not hop.exists() else None


def _claim(partial: Path) -> BinaryIO:
    """Open a partial file that nobody else writes; what a dead process left in it is dropped."""
    while True:
        file = os.fdopen(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if partial.exists() and os.path.samestat(os.fstat(file.fileno()), partial.stat()):
                file.truncate()
                return file
        except BlockingIOError as error:
            file.close()
            raise OSError(error.errno, "another process is writing it", str(partial)) from error
        file.close()  # whoever held it has just put it into its place


def _sync_files(folder: Path) -> None:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


def _exchange(partial: Path, path: Path, before: Path) -> None:
    shutil.rmtree(before, ignore_errors=True)
    if path.exists():
        path.rename(before)
    try:
        partial.rename(path)
    except OSError:
        if before.exists():
            before.rename(path)
        raise
    sync_folder(path.parent)
    shutil.rmtree(before, ignore_errors=True)
