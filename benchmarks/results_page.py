"""A measurement written down: JSON for programs, Markdown for people, side by side under one name."""

from pathlib import Path

import msgspec
from msgspec import Struct

from headrace.files.atomic import write_atomic


def write_results(found: Struct, page: str, folder: Path, name: str) -> Path:
    """Write `name.json` and `name.md`; the page's path."""
    write_atomic(folder / f"{name}.json", msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    path = folder / f"{name}.md"
    write_atomic(path, page)
    return path
