"""Draw from the code which packages import which: `python scripts/draw_packages.py docs/images/packages.svg`.

Bars stand in the order of the layers that `pyproject.toml` holds imports to; an arrow is an import. None runs up.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple
from xml.sax.saxutils import escape

import grimp

PACKAGES: Final = ("headrace_cli", "benchmarks", "trainer", "streams", "infra", "feature_repo", "headrace")
ROOMS: Final = (
    "demo",
    "testing",
    "application",
    "scenarios",
    "pipeline",
    "serving",
    "operations",
    "recordings",
    "kafka",
    "scheduler",
)
MEANINGS: Final = {
    "headrace_cli": "headrace …: one file a command group",
    "benchmarks": "headrace bench …, and what the pages measure",
    "trainer": "from a recorded stream to a published model",
    "streams": "the Faust application (its rooms: below)",
    "infra": "starts Kafka, Valkey and Triton; makes topics",
    "feature_repo": "Feast: folds, views, the row store",
    "headrace": "ground floor: messages, settings, errors, scenarios",
    "application": "builds the worker, wires its parts",
    "testing": "the pytest plugin",
    "demo": "what scripts/demo shows",
    "scenarios": "recommend, ctr, demand: data and pure functions",
    "pipeline": "decode, read, fold, score, emit, write, commit",
    "serving": "Triton, scorers, catalogue, fallback",
    "operations": "health, probes, metrics, logs, supervisor",
    "recordings": "record, replay, import, simulate, validate",
    "kafka": "what touches Faust's and aiokafka's insides",
    "scheduler": "what is read when, batches in flight",
}
_WIDTH: Final = 330
_HEIGHT: Final = 40
_GAP: Final = 14
_TOP: Final = 34


class Arrow(NamedTuple):
    """An import between two bars, by their place from the top."""

    importer: int
    imported: int


def arrows(names: Sequence[str], prefix: str = "") -> list[Arrow]:
    """Which of some packages import which, in the order given."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    place = {name: at for at, name in enumerate(names)}
    found: set[Arrow] = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            at, other = (place.get(_name_of(one, prefix), -1) for one in (module, imported))
            if -1 not in (at, other) and at != other:
                found.add(Arrow(at, other))
    return sorted(found)


def _name_of(module: str, prefix: str) -> str:
    """The package or room that a module is in; the application's own file is one of its room."""
    name = module.removeprefix(prefix).partition(".")[0] if module.startswith(prefix) else ""
    return "application" if prefix and name == "app" else name


def picture() -> str:
    """The drawing as SVG."""
    rooms = _TOP + len(PACKAGES) * (_HEIGHT + _GAP) + _TOP + 20
    height = rooms + len(ROOMS) * (_HEIGHT + _GAP) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}" font-family="sans-serif">',
        "<style>text{fill:#1b2733}.small{font-size:11px;fill:#4a5a6a}.title{font-size:14px;font-weight:bold}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#5b7083"/></marker></defs>',
        *_column("Packages", PACKAGES, arrows(PACKAGES), _TOP),
        *_column("Rooms of streams", ROOMS, arrows(ROOMS, "streams."), rooms),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _column(title: str, names: Sequence[str], imports: Sequence[Arrow], top: int) -> list[str]:
    parts = [f'<text class="title" x="20" y="{top - 12}">{title}</text>']
    for at, name in enumerate(names):
        y = top + at * (_HEIGHT + _GAP)
        parts += [
            f'<rect x="20" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6" fill="#eaf1f7" stroke="#9db4c7"/>',
            f'<text x="32" y="{y + 17}" font-size="13">{escape(name)}</text>',
            f'<text class="small" x="32" y="{y + 32}">{escape(MEANINGS[name])}</text>',
        ]
    return parts + [_arc(arrow, top, len(names)) for arrow in imports]


def _arc(arrow: Arrow, top: int, count: int) -> str:
    """An arrow at the right of the bars; it bulges as far as it reaches."""
    x = 20 + _WIDTH
    begin = top + arrow.importer * (_HEIGHT + _GAP) + 8 + 24 * arrow.imported // count
    end = top + arrow.imported * (_HEIGHT + _GAP) + 8 + 24 * arrow.importer // count
    bulge = x + 30 + 26 * abs(arrow.imported - arrow.importer)
    path = f"M{x} {begin}C{bulge} {begin} {bulge} {end} {x + 2} {end}"
    return f'<path d="{path}" fill="none" stroke="#5b7083" stroke-width="1" marker-end="url(#head)"/>'


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(picture(), "utf-8")
