"""The sliced softmax is the plain one, and the sampled one agrees with it on average."""

import pytest
import torch
from torch.nn.functional import cosine_similarity, cross_entropy

from trainer.behaviour.softmax import Targets, full_softmax_loss, log_sampling_odds, sampled_softmax_loss

ITEMS, STEPS = 50, 3


def problem(rows: int, steps: int = STEPS) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, Targets]:
    dice = torch.Generator().manual_seed(3)
    user, item = torch.randn(rows, 8, generator=dice), torch.randn(ITEMS, 8, generator=dice)
    bias = torch.randn(steps, ITEMS, generator=dice)
    targets = Targets(
        torch.randint(ITEMS, (rows,), generator=dice),
        torch.randint(steps, (rows,), generator=dice),
        torch.rand(rows, generator=dice),
    )
    return user.requires_grad_(), item.requires_grad_(), bias.requires_grad_(), targets


def plainly(user: torch.Tensor, item: torch.Tensor, bias: torch.Tensor, targets: Targets) -> torch.Tensor:
    loss = cross_entropy(user @ item.T + bias[targets.step], targets.item, reduction="none")
    return (loss * targets.weight).sum()


@pytest.mark.parametrize("steps", [1, STEPS])
def test_loss_and_gradients_are_those_of_plain_cross_entropy(steps: int):
    user, item, bias, targets = problem(700, steps)
    sliced, plain = full_softmax_loss(user, item, bias, targets, fast=False), plainly(user, item, bias, targets)
    assert torch.allclose(sliced, plain, rtol=1e-5)
    ours, theirs = (torch.autograd.grad(2 * loss, (user, item, bias)) for loss in (sliced, plain))
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_bfloat16_products_change_the_gradient_little():
    user, item, bias, targets = problem(300)
    exact, fast = (
        torch.autograd.grad(full_softmax_loss(user, item, bias, targets, fast=f), item)[0] for f in (False, True)
    )
    assert cosine_similarity(exact.flatten(), fast.flatten(), dim=0) > 0.999


def test_sampling_estimates_the_full_loss():
    user, item, bias, targets = problem(400)
    odds = log_sampling_odds(torch.bincount(targets.item, minlength=ITEMS))
    torch.manual_seed(0)
    with torch.no_grad():
        user, item = user * 0.3, item * 0.3
        full = full_softmax_loss(user, item, bias, targets, fast=False)
        sampled = torch.stack([sampled_softmax_loss(user, item, bias, targets, odds, 400) for _ in range(20)]).mean()
        uncorrected = plainly(user, item, bias, targets) - sampled
    assert abs(float(uncorrected / full)) < 0.02


def test_odds_add_up_even_where_nothing_was_counted():
    for count in (torch.zeros(5), torch.tensor([3, 0, 1, 0, 0])):
        assert torch.isclose(log_sampling_odds(count).exp().sum(), torch.tensor(1.0))
