"""Where a model comes from: the data's fingerprint, the code's version, the machine."""

import hashlib
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Final

import torch
from msgspec import Struct

from headrace.errors import UsageError

_ROOT: Final = Path(__file__).parents[2]


class Source(Struct, frozen=True):
    """The file that was learnt from."""

    name: str
    bytes: int
    sha256: str


def fingerprint(stream: Path) -> Source:
    """Read a file once for its checksum.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        with stream.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return Source(stream.name, file.tell(), digest)
    except OSError as error:
        raise UsageError(f"{stream}: {error.strerror}; give a recorded stream") from error


def code_version() -> str:
    """The package's version, and the commit where it runs from a checkout; `+` where files differ from it."""
    number = version("headrace")
    if not (_ROOT / ".git").exists():
        return number
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = "+" if _git("status", "--porcelain", "--untracked-files=no") else ""
    except (OSError, subprocess.CalledProcessError):  # a checkout without git installed, or one that git distrusts
        return number
    return f"{number} ({commit}{changed})"


def machine(device: torch.device) -> str:
    """Cores, processor, accelerator and versions, in one line."""
    gpu = torch.cuda.get_device_name(device) if device.type == "cuda" else "no GPU used"
    software = f"Python {platform.python_version()}, torch {torch.__version__}"
    return f"{torch.get_num_threads()} threads on {platform.machine()}, {gpu}; {software}"


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=_ROOT, capture_output=True, text=True, check=True)
    return done.stdout.strip()
