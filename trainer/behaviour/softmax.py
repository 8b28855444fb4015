"""Cross-entropy over a catalogue of items: exact and in slices that stay in cache, or sampled where that is too much.

Shape letters: M targets, N items, D width, S points in time, K negatives.
"""

from typing import Any, Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

_SLICE: Final = 256
"""Targets scored at once: [256, 12,000] logits are 12 MB, and none outlive the slice."""


class Targets(NamedTuple):
    """What must be told from all other items, and when."""

    item: Tensor  # [M]  row of the item
    step: Tensor  # [M]  point in time, a row of the biases
    weight: Tensor  # [M]  share of the loss; they need not add up to anything


class _FullSoftmax(torch.autograd.Function):
    """Weighted sum of -log softmax(user · items + bias), with its gradients made on the way.

    The [M, N] logits are never kept: their memory traffic, not the products, is what an epoch on a CPU waits for.
    """

    @staticmethod
    def forward(ctx: Any, user_MD: Tensor, item_ND: Tensor, bias_SN: Tensor, targets: Targets, fast: bool) -> Tensor:
        kind = torch.bfloat16 if fast else torch.float32
        users, items = user_MD.to(kind), item_ND.to(kind)
        grad_user, grad_item = torch.empty_like(user_MD), torch.zeros_like(item_ND)
        grad_bias, loss = torch.zeros_like(bias_SN), user_MD.new_zeros(())
        for at in range(0, len(users), _SLICE):
            part = slice(at, at + _SLICE)
            target, step, weight = (column[part].unsqueeze(1) for column in targets)
            logits = (users[part] @ items.T).float()
            logits += bias_SN[0] if len(bias_SN) == 1 else bias_SN[step.squeeze(1)]
            right = logits.gather(1, target)
            top = logits.amax(1, keepdim=True)
            total = logits.sub_(top).exp_().sum(1, keepdim=True)
            loss += ((total.log() + top - right) * weight).sum()
            slope = logits.mul_(weight / total).scatter_add_(1, target, -weight)
            grad_bias.index_add_(0, step.squeeze(1), slope) if len(bias_SN) > 1 else grad_bias[0].add_(slope.sum(0))
            slope = slope.to(kind)
            grad_user[part] = (slope @ items).float()
            grad_item += (slope.T @ users[part]).float()
        ctx.save_for_backward(grad_user, grad_item, grad_bias)
        return loss

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        return *(gradient * upstream[0] for gradient in ctx.saved_tensors), None, None


def full_softmax_loss(user_MD: Tensor, item_ND: Tensor, bias_SN: Tensor, targets: Targets, *, fast: bool) -> Tensor:
    """Cross-entropy of each target among all items, weighed and summed. []

    Args:
        user_MD, item_ND: vectors whose products are scores.
        bias_SN: what an item scores for everyone, at each point in time.
        fast: take the products in bfloat16; sums and exponentials stay in float32.
    """
    return _FullSoftmax.apply(user_MD.float(), item_ND.float(), bias_SN.float(), targets, fast)  # pyright: ignore[reportReturnType]


def sampled_softmax_loss(
    user_MD: Tensor, item_ND: Tensor, bias_SN: Tensor, targets: Targets, log_q_N: Tensor, count: int
) -> Tensor:
    """The same with `count` negatives shared by all targets, drawn by `log_q_N` and corrected for it. []

    The logQ correction makes the sampled sum an unbiased estimate of the full one (Bengio & Senecal 2008; Yi et al.,
    RecSys 2019). A negative that is a row's own target does not count there.
    """
    drawn_K = torch.multinomial(log_q_N.exp(), count, replacement=True)
    correction_K = log_q_N[drawn_K] + torch.tensor(float(count), device=log_q_N.device).log()
    target_M, step_M, weight_M = targets
    negative_MK = user_MD @ item_ND[drawn_K].T + bias_SN[:, drawn_K][step_M] - correction_K
    negative_MK = negative_MK.float().masked_fill(drawn_K == target_M.unsqueeze(1), -torch.inf)
    right_M = (user_MD * item_ND[target_M]).sum(1).float() + bias_SN[step_M, target_M]
    logits = torch.cat([right_M.unsqueeze(1), negative_MK], dim=1)
    return ((logits.logsumexp(1) - logits[:, 0]) * weight_M).sum()


def log_sampling_odds(count_N: Tensor) -> Tensor:
    """How negatives are drawn: half by how often an item is a target, half evenly. [N] log probabilities"""
    evenly = torch.full_like(count_N, 1.0 / len(count_N), dtype=torch.float32)
    often = F.normalize(count_N.float(), p=1.0, dim=0)
    return (0.5 * evenly + 0.5 * torch.where(often.sum() > 0, often, evenly)).log()
