"""What the tests on real servers share: a small simulated shop, and a model trained on it and published, once."""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from streams.testing import Stack


class TrainedShop(NamedTuple):
    """A recording, and the folder of the model that was trained on it and is served now.

    Attributes:
        said: what `headrace train` and `headrace publish` printed.
    """

    recording: Path
    model: Path
    version: str
    output: tuple[str, str] = ("", "")


def headrace(stack: Stack, *words: str | Path, group: str = "headrace") -> str:
    """Run one command against the stack; returns its standard output."""

    done = subprocess.run(
        [sys.executable, "-m", "headrace_cli", *map(str, words)],
        env={**os.environ, **stack.environment(group)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"headrace {' '.join(map(str, words))}: {done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="session")
def trained_shop(headrace_stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> TrainedShop:
    """Sixty shoppers, forty items, six days; trained on all of it, since nothing here judges quality."""

    folder = tmp_path_factory.mktemp("shop")
    recording, model = folder / "shop.jsonl.gz", folder / "model"
    shape = ("--users", "60", "--items", "40", "--days", "6", "--anomalies", "1", "--seed", "5")
    headrace(headrace_stack, "simulate", "--out", recording, *shape)
    trained = headrace(headrace_stack, "train", "--stream", recording, "--out", model)
    published = headrace(headrace_stack, "publish", model)
    return TrainedShop(recording, model, published.split()[-1], (trained, published))
