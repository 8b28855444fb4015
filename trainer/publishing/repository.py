"""The model repository as files: versions appear whole or not at all, and the configuration names the one to serve."""

import os
import re
import shutil
from pathlib import Path
from typing import Final

import msgspec

from headrace.files.atomic import write_atomic
from trainer.publishing.note import NOTE, Note

_POLICY: Final = re.compile(r"^version_policy:.*\n", re.MULTILINE)
_SERVED: Final = re.compile(r"^version_policy: \{ specific \{ versions: \[ (\d+) \] \} \}$", re.MULTILINE)
_CONFIG: Final = "config.pbtxt"


def versions(models: Path, model: str) -> list[int]:
    """Versions of a model on disk, oldest first."""
    folder = models / model
    if not folder.is_dir():
        return []
    return sorted(int(p.name) for p in folder.iterdir() if p.is_dir() and p.name.isdigit())


def next_version(models: Path, names: list[str]) -> int:
    """One past the newest version of any of these models, so that what is published together has one number."""
    return 1 + max((v for name in names for v in versions(models, name)), default=0)


def served_version(models: Path, model: str) -> int | None:
    """The version that the configuration names; None before the first."""
    config = models / model / _CONFIG
    match = _SERVED.search(config.read_text("utf-8")) if config.exists() else None
    return int(match[1]) if match else None


def place_version(models: Path, source: Path, version: int, note: Note | None = None) -> None:
    """Copy a trained folder in as a version of the model it is named after. Nothing serves it yet."""
    folder = models / source.name
    folder.mkdir(parents=True, exist_ok=True)
    # Triton takes only numbers for versions: under any other name a copy is invisible until it is whole.
    partial = folder / f"incoming-{os.getpid()}"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        shutil.copytree(source, partial)
        (partial / NOTE).write_bytes(msgspec.json.encode(note or Note()))
        partial.rename(folder / str(version))
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def remove_version(models: Path, model: str, version: int) -> None:
    """Delete a version."""
    shutil.rmtree(models / model / str(version), ignore_errors=True)


def point_back(models: Path, model: str, version: int | None) -> None:
    """Serve the version that was served before; None where there was none."""
    if version is None:
        (models / model / _CONFIG).unlink(missing_ok=True)
    else:
        point_at(models, model, version)


def point_at(models: Path, model: str, version: int) -> None:
    """Make a version the one to serve, with the configuration that came with it."""
    folder = models / model
    config = _POLICY.sub("", (folder / str(version) / _CONFIG).read_text("utf-8")).rstrip()
    config += f"\nversion_policy: {{ specific {{ versions: [ {version} ] }} }}\n"
    write_atomic(folder / _CONFIG, config)


def parameter(version: Path, name: str) -> str | None:
    """A parameter of the configuration that a version came with; None where it has none of that name."""
    pattern = rf'key: "{name}", value: \{{ string_value: "([^"]*)"'
    match = re.search(pattern, (version / _CONFIG).read_text("utf-8"))
    return match[1] if match else None
