"""A measurement written down: JSON for programs, Markdown for people, side by side under one name."""

from pathlib import Path

import msgspec
from msgspec import Struct


def write_results(found: Struct, page: str, folder: Path, name: str) -> Path:
    """Write `name.json` and `name.md`; the page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    path = folder / f"{name}.md"
    path.write_text(page, "utf-8")
    return path
