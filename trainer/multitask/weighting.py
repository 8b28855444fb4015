"""How several tasks' losses become one step: equally, by learnt uncertainty, or with conflicting gradients projected.

K tasks. Each weighting returns a scalar whose gradient is the step to take.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trainer.multitask.config import WeightingName


class Equal(nn.Module):
    """The sum of the losses."""

    def forward(self, losses: Sequence[Tensor], shared: Sequence[nn.Parameter]) -> Tensor:
        """Combine. []"""
        return torch.stack(list(losses)).sum()


class Uncertainty(nn.Module):
    """Each loss over a learnt variance of its task, and half the variance's logarithm, so that none grows for free.

    Kendall, Gal & Cipolla, "Multi-Task Learning Using Uncertainty to Weigh Losses" (CVPR 2018), in their form for
    classification: loss / variance + log(variance) / 2.
    """

    def __init__(self, tasks: int) -> None:
        super().__init__()
        self.log_variance_K = nn.Parameter(torch.zeros(tasks))

    def forward(self, losses: Sequence[Tensor], shared: Sequence[nn.Parameter]) -> Tensor:
        """Combine. []"""
        loss_K = torch.stack(list(losses))
        return (loss_K * torch.exp(-self.log_variance_K) + self.log_variance_K / 2).sum()


class ProjectedConflicts(nn.Module):
    """PCGrad: where two tasks' gradients on what they share point apart, each loses its part against the other.

    Yu et al., "Gradient Surgery for Multi-Task Learning" (NeurIPS 2020). Heads take their own losses' gradients.
    """

    def forward(self, losses: Sequence[Tensor], shared: Sequence[nn.Parameter]) -> Tensor:
        """Combine. []"""
        grads_KP = torch.stack([_flat_gradient(loss, shared) for loss in losses])
        step_P = project_conflicts(grads_KP).sum(dim=0)
        joined_P = torch.cat([p.flatten() for p in shared])
        total = torch.stack(list(losses)).sum()
        # What the plain sum would do to the shared weights is taken back, and the projected step put in its place.
        return total + ((step_P - grads_KP.sum(dim=0)) * joined_P).sum()


def project_conflicts(grads_KP: Tensor) -> Tensor:
    """Each task's gradient without what points against another's, the others in random order. [K, P]"""
    found: list[Tensor] = []
    for k, grad_P in enumerate(grads_KP):
        changed_P = grad_P.clone()
        for other in torch.randperm(len(grads_KP)).tolist():
            against = changed_P @ grads_KP[other]
            if other != k and against < 0:
                changed_P = changed_P - against / grads_KP[other].square().sum() * grads_KP[other]
        found.append(changed_P)
    return torch.stack(found)


def make_weighting(name: WeightingName, tasks: int) -> nn.Module:
    """A weighting of so many tasks."""
    match name:
        case "equal":
            return Equal()
        case "uncertainty":
            return Uncertainty(tasks)
        case "pcgrad":
            return ProjectedConflicts()


def _flat_gradient(loss: Tensor, shared: Sequence[nn.Parameter]) -> Tensor:
    grads = torch.autograd.grad(loss, list(shared), retain_graph=True, materialize_grads=True)
    return torch.cat([grad.flatten() for grad in grads])
