"""The check of the glossary finds planted words of each kind, and passes what only looks like them."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts/check_words.py"

_spec = importlib.util.spec_from_file_location("check_words", SCRIPT)
assert _spec is not None and _spec.loader is not None
check_words = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(check_words)
TABLE = check_words.Table.read()

CLEAN = '''
"""The road that a chunk travels is told here: docstrings are English."""

import json
import torch


class Batch:
    """What was said to the shelf."""

    def load(self, path: str) -> object:
        """Load a file."""
        found = json.loads(path)
        self.rows = torch.ones(4).chunk(2)
        self.header = found.told  # attributes of others are theirs
        for aloud, wishful in found.storm.items():
            print(f"said {aloud} {wishful}")
        if not found:
            raise ValueError(f"the file {path} is empty: say which file to load with --stream")
        return broadcast("what the road said")


def test_a_worker_says_what_it_was_told():
    assert "road"
'''


@pytest.mark.parametrize(
    ("source", "old"),
    [
        ("class Road:\n    pass", "Road (road)"),
        ("class ShoppersRoad:\n    pass", "ShoppersRoad (road)"),
        ("class Chunking:\n    pass", "Chunking"),
        ("class _Aftermath:\n    pass", "_Aftermath"),
        ("def tell(): ...", "tell (tell)"),
        ("async def take_in(): ...", "take_in (take_in)"),
        ("def f(wish_maps): ...", "wish_maps (wish)"),
        ("def f(*, told): ...", "told (told)"),
        ("lambda asked: asked", "asked (asked)"),
        ("chunk = 1", "chunk"),
        ("for load in []: ...", "load"),
        ("ways, way = 1, 2", "way"),
        ("with open('f') as storm: ...", "storm (storm)"),
        ("if (lesson := 1): ...", "lesson (lesson)"),
        ("[1 for blow in []]", "blow (blow)"),
        ("class A:\n    stand_in: int = 0", "stand_in (stand_in)"),
        ("class A:\n    def f(self):\n        self._said = 1", "_said (said)"),
        ("import numpy as shelf", "shelf (shelf)"),
        ("try: ...\nexcept ValueError as said: ...", "said (said)"),
        ("match 1:\n    case told: ...", "told (told)"),
        ("RECORD_CHUNK = 1", "RECORD_CHUNK (record_chunk)"),
        ("log.warning(f'the road of {1} stopped')", '"road"'),
        ("logs.report('stints are over')", '"stints"'),
        ("raise ValueError(f'the chunk {1} is too large')", '"chunk"'),
        ("raise ModelError(reason='strangers in the list')", '"strangers"'),
        ("Histogram('headrace_step_seconds', 'Seconds of a step of the road', ['step'])", '"road"'),
        ("Histogram('headrace_step_seconds', 'Seconds of a step', ['road', 'step'])", '"road"'),
        ("Field(512, description='most records that travel the road')", '"road"'),
        ("typer.Option(help='two processes, one a road')", '"road"'),
        ("def test_a_stranger_is_left_out(): ...", '"stranger"'),
    ],
)
def test_a_forbidden_word_is_found(source: str, old: str):
    [line] = [line for line in TABLE.findings("file.py", source) if f": {old} -> " in line]
    assert line.startswith("file.py:")
    assert line.split(" -> ")[1]


def test_a_clean_file_passes():
    assert list(TABLE.findings("file.py", CLEAN)) == []


def test_a_word_is_allowed_where_the_contract_has_it_and_nowhere_else():
    source = "class Settings:\n    chunk: int = 512"
    assert list(TABLE.findings("headrace/settings/model.py", source)) == []
    assert len(list(TABLE.findings("streams/application/runtime.py", source))) == 1
    assert all(one.reason for one in TABLE.allowed)


def test_a_finding_names_the_line_and_ends_with_status_1(tmp_path: Path):
    bad, good = tmp_path / "bad.py", tmp_path / "good.py"
    bad.write_text("x = 1\n\nroads = x\n")
    good.write_text(CLEAN)
    ended = [
        subprocess.run([sys.executable, SCRIPT, file], capture_output=True, text=True, check=False)
        for file in (bad, good)
    ]
    assert [done.returncode for done in ended] == [1, 0]
    assert [done.stdout for done in ended] == [f"{bad}:3: roads (roads) -> pipelines\n", ""]


def test_counting_never_fails(tmp_path: Path):
    bad = tmp_path / "bad.py"
    bad.write_text("x = 1\n\nroads = load = x\n")
    done = subprocess.run([sys.executable, SCRIPT, "--count", bad], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", str(tmp_path)]
