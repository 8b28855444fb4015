"""A fit that is broken off anywhere and taken up again ends with the weights of an unbroken one."""

import math
from pathlib import Path

import pytest
import torch
from practice_cases import BATCHES, PLAN, Broken, run_fit

from headrace.errors import ModelError
from trainer.training_loop.checkpoint import Checkpoints, load_state, save_state
from trainer.training_loop.run import Run


def run_in(folder: Path, every_s: float = 0.0) -> Run:
    return Run(Checkpoints(folder, every_s))


PLANS = {
    "plain": PLAN,
    "cosine": PLAN._replace(schedule="cosine"),
    "averaged": PLAN._replace(average=0.9),
    "accumulated": PLAN._replace(accumulate=2),
}


@pytest.mark.parametrize("name", PLANS)
@pytest.mark.parametrize(
    "batches", [3, BATCHES, 2 * BATCHES + 4], ids=["in the first epoch", "at an end", "in the third"]
)
def test_a_broken_fit_goes_on_to_the_same_weights(tmp_path: Path, name: str, batches: int):
    whole = run_fit(PLANS[name], run_in(tmp_path / "whole", math.inf))
    with pytest.raises(Broken):
        run_fit(PLANS[name], run_in(tmp_path / "broken"), break_after=batches)
    resumed = run_fit(PLANS[name], run_in(tmp_path / "broken"))
    ends = [load_state(Checkpoints(tmp_path / run).path(PLAN.what)) for run in ("whole", "broken")]
    for part in ("module", "average", "best"):
        torch.testing.assert_close(ends[0][part], ends[1][part], rtol=0, atol=0)
    assert torch.equal(resumed.weights, whole.weights)
    assert resumed.fitted == whole.fitted
    assert resumed.losses == whole.losses[-len(resumed.losses) :]
    assert len(resumed.losses) < len(whole.losses)


def test_a_fit_broken_many_times_ends_the_same(tmp_path: Path):
    for _ in range(3):
        with pytest.raises(Broken):
            run_fit(run=run_in(tmp_path), break_after=5)
    assert torch.equal(run_fit(run=run_in(tmp_path)).weights, run_fit().weights)


def test_a_finished_fit_is_not_repeated(tmp_path: Path):
    first = run_fit(run=run_in(tmp_path, math.inf))
    again = run_fit(run=run_in(tmp_path))
    assert torch.equal(first.weights, again.weights)
    assert again.fitted == first.fitted
    assert again.losses == []


def test_what_comes_after_a_fit_draws_the_same_numbers_resumed_or_not(tmp_path: Path):
    run_fit(run=run_in(tmp_path))
    unbroken = torch.rand(3)
    run_fit(run=run_in(tmp_path))
    assert torch.equal(torch.rand(3), unbroken)


def test_without_the_generators_state_the_weights_would_differ(tmp_path: Path):
    """The guard of the test above: order matters here, so losing it would be seen."""
    with pytest.raises(Broken):
        run_fit(run=run_in(tmp_path), break_after=4)
    path = Checkpoints(tmp_path).path(PLAN.what)
    state = load_state(path)
    state["rng"]["state"]["state"] += 12345
    save_state(path, state)
    assert not torch.equal(run_fit(run=run_in(tmp_path)).weights, run_fit().weights)


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty"])
def test_a_damaged_checkpoint_is_never_loaded(tmp_path: Path, damage: str):
    run_fit(run=run_in(tmp_path))
    path = Checkpoints(tmp_path).path(PLAN.what)
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes({"cut": content[: len(content) // 2], "flipped": content, "empty": b""}[damage])
    with pytest.raises(ModelError, match=rf"{path.name} is damaged or half written; delete it"):
        run_fit(run=run_in(tmp_path))


def test_curves_are_told_after_each_epoch():
    reported: list[tuple[str, int, float]] = []

    def watch(what: str, epoch: int, curves: object) -> None:
        reported.append((what, epoch, dict(curves)["validation_loss"]))  # type: ignore[call-overload]

    outcome = run_fit(run=Run(watch=watch))
    assert [epoch for _, epoch, _ in reported] == list(range(1, outcome.fitted.epochs + 1))
    assert min(loss for _, _, loss in reported) == outcome.fitted.loss


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path):
    run_fit(run=run_in(tmp_path))
    path = Checkpoints(tmp_path).path(PLAN.what)
    state = load_state(path)
    state["module"]["0.weight"] = state["module"]["0.weight"][:4]
    save_state(path, state)
    with pytest.raises(ModelError, match="was written by other code; leave --resume out"):
        run_fit(run=run_in(tmp_path))
