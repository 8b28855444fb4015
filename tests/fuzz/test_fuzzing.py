"""A short, repeatable run of each fuzzing target; `scripts/fuzz` goes on for longer."""

import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_SEEDS = {
    "decode": b'{"event_id":"e","type":"view","user_id":"u","timestamp":1767571200000,"item_id":"i"}',
    "fold": b'{"event_id":"e","type":"purchase","user_id":"u","timestamp":1767571200000,"item_id":"i","price":2.5}\n'
    b'{"event_id":"f","type":"identify","user_id":"u","timestamp":1767571200001,"user_ids":["v"]}',
    "recording": b'{"topic":"events","key":"u","timestamp":1767571200000,"value":{"event_id":"e"}}\n',
}


# libFuzzer's account begins with the peak of the process that starts it: this one's, after all its tests.
_MEMORY = "-rss_limit_mb=8192"


@pytest.mark.parametrize(("target", "runs"), [("decode", 30_000), ("fold", 6_000), ("recording", 6_000)])
def test_nothing_but_the_declared_errors_comes_out(target: str, runs: int, tmp_path: Path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    (corpus / "seed").write_bytes(_SEEDS[target])
    command = [sys.executable, str(_HERE / "targets.py"), target, "-seed=1", _MEMORY, f"-runs={runs}", str(corpus)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3_000:]
    assert f"Done {runs} runs" in done.stderr
