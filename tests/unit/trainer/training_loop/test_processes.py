"""Two processes under `torchrun` reach the weights of one process that takes twice the batches a step."""

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import torch
from next_item_cases import CONFIG, fit_shop, small_shop
from practice_cases import PLAN, run_fit
from torch import Tensor

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    """Of both processes."""
    folder = tmp_path_factory.mktemp("processes")
    paths = os.pathsep.join([str(HERE), str(HERE.parent), str(HERE.parents[3])])
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *torchrun, str(HERE / "fit_in_processes.py"), str(folder)],
        env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("what", ["network", "next item"])
def test_all_processes_end_with_the_same_weights(weights: list[dict[str, Tensor]], what: str):
    assert torch.equal(weights[0][what], weights[1][what])


def test_a_network_with_dropout_and_an_odd_number_of_batches(weights: list[dict[str, Tensor]]):
    alone = run_fit(PLAN._replace(accumulate=2)).weights
    assert torch.allclose(weights[0]["network"], alone, atol=1e-5)
    assert not torch.allclose(alone, run_fit().weights, atol=1e-3)


def test_the_next_item_training(weights: list[dict[str, Tensor]], tmp_path: Path):
    shop = small_shop(tmp_path)
    alone = fit_shop(shop, msgspec.structs.replace(CONFIG, accumulate=2))
    assert torch.allclose(weights[0]["next item"], alone, atol=1e-4)
    assert not torch.allclose(alone, fit_shop(shop), atol=1e-2)
