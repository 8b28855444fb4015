"""Losses are weighed as stated: equally, by a variance that is learnt, or with conflicting gradients projected."""

import math

import pytest
import torch
from torch import Tensor, nn

from headrace.errors import UsageError
from trainer.multitask.config import MultitaskConfig, parse_weighting
from trainer.multitask.weighting import ProjectedConflicts, make_weighting, project_conflicts


def pulls(shared: nn.Parameter, head: nn.Parameter, targets: list[list[float]]) -> list[Tensor]:
    """One loss a task, whose gradient on what is shared is minus its target; the first has a head besides."""
    losses = [-(shared @ torch.tensor(target)) for target in targets]
    return [losses[0] + 3 * head.sum(), *losses[1:]]


def test_gradients_that_agree_are_left_as_they_are():
    grads = torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert torch.equal(project_conflicts(grads), grads)


def test_a_gradient_loses_only_its_part_against_the_other():
    grads = torch.tensor([[1.0, 0.0], [-1.0, 1.0]])
    one, other = project_conflicts(grads)
    assert one.tolist() == [0.5, 0.5]
    assert other.tolist() == [0.0, 1.0]
    assert one @ grads[1] == pytest.approx(0)


def test_pcgrad_steps_by_the_projected_gradients_and_heads_by_their_own():
    shared, head = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    ProjectedConflicts()(pulls(shared, head, [[1.0, 0.0], [-1.0, 1.0]]), [shared]).backward()
    assert (-shared.grad).tolist() == [0.5, 1.5]
    assert head.grad.tolist() == [3.0]


def test_equal_weighting_is_the_plain_sum():
    shared, head = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))
    make_weighting("equal", 2)(pulls(shared, head, [[1.0, 0.0], [-1.0, 1.0]]), [shared]).backward()
    assert (-shared.grad).tolist() == [0.0, 1.0]


def test_uncertainty_settles_where_a_task_weighs_half_of_one_over_its_loss():
    weighting = make_weighting("uncertainty", 2)
    losses = [torch.tensor(4.0), torch.tensor(0.25)]
    descent = torch.optim.Adam(weighting.parameters(), 0.05)
    for _ in range(600):
        descent.zero_grad()
        weighting(losses, []).backward()
        descent.step()
    # d/ds (L exp(-s) + s/2) = 0 where exp(-s) = 1 / 2L
    assert weighting.log_variance_K.tolist() == pytest.approx([math.log(8), math.log(0.5)], abs=1e-3)


def test_what_cannot_be_is_refused():
    with pytest.raises(UsageError, match="--weighting loudest: it must be one of uncertainty, pcgrad, equal"):
        parse_weighting("loudest")
    with pytest.raises(ValueError, match=r"temperature 0\.5"):
        MultitaskConfig(temperature=0.5)
    with pytest.raises(ValueError, match="batch 1"):
        MultitaskConfig(batch=1)
