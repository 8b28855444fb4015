"""Find words in names and texts of the code for which the glossary has another: `forbidden_words.toml` is the table.

usage: check_words.py [--count] [FILE...]

Prints `file:line: old -> new` for each, and ends with status 1 if there is any; with --count, how many there are in
each folder, and ends with status 0. Without files it looks at every tracked
Python file. It looks at what the code names itself: classes, functions, parameters, variables and fields; and at log
lines, errors, help texts and metrics. Attributes of others' objects, comments and docstrings are not looked at.
"""

import ast
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final, NamedTuple

TABLE: Final = Path(__file__).with_name("forbidden_words.toml")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")
_LOGS: Final = frozenset({"tell", "report", "debug", "info", "warning", "error", "exception", "critical", "log"})
_METRICS: Final = frozenset({"Counter", "Gauge", "Histogram", "Summary"})
_HELP: Final = frozenset({"help", "description", "epilog", "metavar"})
_SENTENCES: Final = "test_"


class Name(NamedTuple):
    """Something that a file names."""

    line: int
    text: str
    variable: bool  # and no class or function


class Text(NamedTuple):
    """Something that a file says to its users."""

    line: int
    text: str


class Allowed(NamedTuple):
    """Words that some files may use."""

    files: str
    words: list[str]
    reason: str


class Table(NamedTuple):
    """The words, each with the one to use, by where they are looked for."""

    parts: dict[str, str]
    names: dict[str, str]
    variables: dict[str, str]
    texts: dict[str, str]
    allowed: list[Allowed]

    @classmethod
    def read(cls, path: Path = TABLE) -> "Table":
        """Read a table; an exception without a reason is an error."""
        content: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
        return cls(**{**content, "allowed": [Allowed(**one) for one in content.get("allowed", [])]})

    def findings(self, path: str, source: str) -> Iterator[str]:
        """One line for each forbidden word of a file's source."""
        tree = ast.parse(source, path)
        found = [(name.line, *pair) for name in names_of(tree) for pair in self._of_name(name)]
        found += [(text.line, *pair) for text in texts_of(tree) for pair in self._of_text(text)]
        skipped = {word for one in self.allowed if fnmatch(path, one.files) for word in one.words}
        for line, word, old, new in sorted(set(found)):
            if word not in skipped:
                yield f"{path}:{line}: {old} -> {new}"

    def _of_name(self, name: Name) -> Iterator[tuple[str, str, str]]:
        if name.text.startswith(_SENTENCES):
            yield from self._of_text(Text(name.line, name.text.replace("_", " ")))
            return
        bare = name.text.strip("_")
        for words in (self.names, self.variables) if name.variable else (self.names,):
            if bare in words:
                yield bare, name.text, words[bare]
        snake = f"_{'_'.join(_WORD.findall(name.text)).lower()}_"
        for word, new in self.parts.items():
            if f"_{word}_" in snake:
                yield word, f"{name.text} ({word})", new

    def _of_text(self, text: Text) -> Iterator[tuple[str, str, str]]:
        for word, new in self.texts.items():
            if match := re.search(rf"\b{word}\b", text.text, re.IGNORECASE):
                yield word, f'"{match.group()}"', new


def names_of(tree: ast.AST) -> Iterator[Name]:
    """What a file names: not what it only uses."""
    for node in ast.walk(tree):
        match node:
            case ast.ClassDef(name=text) | ast.FunctionDef(name=text) | ast.AsyncFunctionDef(name=text):
                yield Name(node.lineno, text, False)
            case ast.arg(arg=text) | ast.Name(id=text, ctx=ast.Store()):
                yield Name(node.lineno, text, True)
            case ast.Attribute(attr=text, ctx=ast.Store(), value=ast.Name(id="self" | "cls")):
                yield Name(node.lineno, text, True)
            case ast.ExceptHandler(name=str(text)) | ast.MatchAs(name=str(text)) | ast.MatchStar(name=str(text)):
                yield Name(node.lineno, text, True)
            case ast.alias(asname=str(text)):
                yield Name(node.lineno, text, True)
            case _:
                pass


def texts_of(tree: ast.AST) -> Iterator[Text]:
    """What a file says to its users: log lines, errors, help texts, names and labels of metrics."""
    for node in ast.walk(tree):
        match node:
            case ast.Raise(exc=ast.Call(args=args, keywords=keywords)):
                yield from _strings([*args, *(one.value for one in keywords)])
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=args) if (
                called in _LOGS | _METRICS
            ):
                yield from _strings(args)
            case ast.keyword(arg=str(named), value=value) if named in _HELP:
                yield from _strings([value])
            case _:
                pass


def _strings(nodes: Iterable[ast.AST]) -> Iterator[Text]:
    for node in nodes:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
                yield Text(inner.lineno, inner.value)


def main(arguments: list[str]) -> int:
    """Print what is found in the files, or in all tracked ones; the exit status."""
    files = [one for one in arguments if one != "--count"]
    if not files:
        listed = subprocess.run(["git", "ls-files", "*.py"], capture_output=True, text=True, check=True)
        files = [name for name in listed.stdout.splitlines() if Path(name).exists()]
    table = Table.read()
    found = [line for name in files for line in table.findings(name, Path(name).read_text("utf-8"))]
    if "--count" in arguments:
        folders = Counter(str(Path(line.partition(":")[0]).parent) for line in found)
        print(*(f"{count:5} {folder}" for folder, count in folders.most_common()), sep="\n")
        return 0
    print(*found, sep="\n", end="\n" if found else "")
    return min(1, len(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
