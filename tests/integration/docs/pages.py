"""The code and the commands of a page of the documentation."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[3]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Command(NamedTuple):
    """A line that a reader types, and what the page says that comes out."""

    line: str
    output: str


def blocks(page: str, language: str) -> list[str]:
    """The page's blocks of a language, in their order."""
    text = (ROOT / page).read_text("utf-8")
    return [found[2] for found in _BLOCK.finditer(text) if found[1] == language]


def commands(page: str) -> list[Command]:
    """Every command of the page's consoles, in their order."""
    found: list[Command] = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            found.append(Command(line, output))
    return found
