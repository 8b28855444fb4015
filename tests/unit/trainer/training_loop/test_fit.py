"""The training loop stops early, leaves the best weights, and follows its plan."""

from collections.abc import Iterator

import pytest
import torch
from practice_cases import run_fit
from torch import nn

from headrace.errors import ModelError
from trainer.training_loop.averaging import Average
from trainer.training_loop.fit import Plan, fit
from trainer.training_loop.processes import average_gradients
from trainer.training_loop.schedule import rate


def test_the_best_weights_come_back_and_patience_ends_the_fit():
    module = nn.Linear(1, 1)
    seen: list[float] = []

    def losses() -> Iterator[torch.Tensor]:
        yield module(torch.ones(1)).sum()

    def validate() -> float:
        seen.append(module.weight.item())
        return [5.0, 3.0, 2.0, 4.0, 4.0, 1.0][len(seen) - 1]

    fitted = fit(module, losses, validate, Plan("test", 0.1, 50, patience=2, steps_per_epoch=1), lambda *_: None)
    assert (fitted.loss, fitted.best_epoch, fitted.epochs) == (2.0, 2, 4)
    assert module.weight.item() == seen[2]
    assert not module.training


def test_the_same_seed_fits_the_same_weights_and_another_does_not():
    assert torch.equal(run_fit(seed=3).weights, run_fit(seed=3).weights)
    assert not torch.allclose(run_fit(seed=3).weights, run_fit(seed=4).weights)


def one_step(accumulate: int) -> torch.Tensor:
    """The first step's gradient of a sum of squares, one example a batch."""
    module = nn.Linear(2, 1, bias=False)
    nn.init.ones_(module.weight)
    gradients: list[torch.Tensor] = []
    module.weight.register_post_accumulate_grad_hook(lambda p: gradients.append(p.grad.clone()))

    def losses() -> Iterator[torch.Tensor]:
        for example in (torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])):
            yield module(example).square().sum()

    plan = Plan("test", 1e-9, 1, 1, 2, accumulate=accumulate)
    fit(module, losses, lambda: 0.0, plan, lambda *_: None)
    return gradients[-1]


def test_accumulated_batches_add_up_before_the_step():
    assert one_step(2).tolist() == [[2.0, 18.0]]
    assert one_step(1).tolist() == [[0.0, 18.0]]


def test_a_step_follows_the_mean_of_its_batches():
    used, unused = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    used.grad = torch.tensor([6.0])
    assert average_gradients([used, unused], 3) == 3
    assert used.grad.tolist() == [2.0]
    assert unused.grad is None


def fit_with_average(validated: list[float]) -> tuple[float, float]:
    """One epoch of falling weights; returns the weight kept and the last one before."""
    module, reported = nn.Linear(1, 1, bias=False), iter(validated)
    last: list[float] = []

    def losses() -> Iterator[torch.Tensor]:
        for _ in range(5):
            yield module(torch.ones(1)).sum()

    def validate() -> float:
        last.append(module.weight.item())
        return next(reported)

    fit(module, losses, validate, Plan("test", 0.1, 1, 1, 5, average=0.9), lambda *_: None)
    return module.weight.item(), last[1]


def test_averaged_weights_are_kept_where_they_validate_better():
    kept, last = fit_with_average([9.0, 3.0, 2.0])
    assert kept > last
    kept, last = fit_with_average([9.0, 2.0, 3.0])
    assert kept == last


def test_an_average_lies_between_the_weights_it_has_seen_and_steps_aside():
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = Average(module, 0.5)
    for step in (1, 2, 3):
        nn.init.constant_(module.weight, float(step))
        average.update(step)
    with average.in_place():
        assert 1.0 < module.weight.item() < 3.0
    assert module.weight.item() == 3.0


def test_the_rate_warms_up_then_steps_down_or_falls_to_zero():
    plateau = [rate("plateau", step, 400, 40, 0) for step in (1, 20, 40, 400)]
    assert plateau == [1 / 40, 0.5, 1.0, 1.0]
    assert rate("plateau", 200, 400, 40, 2) == pytest.approx(0.16)
    cosine = [rate("cosine", step, 400, 40, 0) for step in (20, 40, 220, 400)]
    assert cosine == pytest.approx([0.5, 1.0, 0.5, 0.0])


def test_a_loss_that_is_not_finite_is_an_error_and_no_model():
    module = nn.Linear(1, 1)

    def losses() -> Iterator[torch.Tensor]:
        yield module(torch.ones(1)).sum() * float("nan")

    with pytest.raises(ModelError, match="test: the training loss of epoch 1 is not finite; lower the learning rate"):
        fit(module, losses, lambda: 1.0, Plan("test", 0.1, 5, 5, 1), lambda *_: None)


def test_progress_counts_batches_up_to_the_plan():
    reported: list[tuple[int, int]] = []
    module = nn.Linear(1, 1)

    def losses() -> Iterator[torch.Tensor]:
        for _ in range(3):
            yield module(torch.ones(1)).square().sum()

    fit(
        module,
        losses,
        lambda: 1.0,
        Plan("test", 0.1, 2, 2, 3),
        lambda what, done, total, note: reported.append((done, total)),
    )
    assert reported == [(done, 6) for done in range(1, 7)]
