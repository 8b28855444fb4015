"""The training loop that every head shares: warm-up, clipping, early stopping, best weights restored."""

import copy
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

_CLIP = 1.0


class Tell(Protocol):
    """Receives progress: what is under way, steps done, steps at most, and a note such as the validation loss."""

    def __call__(self, what: str, done: int, total: int, note: str) -> None: ...


class Plan(NamedTuple):
    """How long and how fast to fit."""

    what: str
    learning_rate: float
    epochs: int
    patience: int
    steps_per_epoch: int
    weight_decay: float = 0.0


class Fitted(NamedTuple):
    """How a fit went: the best validation loss, the epoch that had it, and how many there were."""

    loss: float
    best_epoch: int
    epochs: int


def fit(
    module: nn.Module,
    losses: Callable[[], Iterator[Tensor]],
    validate: Callable[[], float],
    plan: Plan,
    tell: Tell,
) -> Fitted:
    """Fit a module and leave it with the weights of the epoch that validated best, in evaluation mode.

    Args:
        module: its parameters are fitted; those that need no gradient are left alone.
        losses: an epoch: yields one loss a step, made from the module in training mode.
        validate: the loss that decides, lower is better.
    """
    parameters = [p for p in module.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=plan.learning_rate, weight_decay=plan.weight_decay)
    warm_up = min(100, max(1, plan.steps_per_epoch))
    best, best_epoch, best_weights = validate(), 0, copy.deepcopy(module.state_dict())
    scale, step, epoch = 1.0, 0, 0
    note = f"validation {best:.4f}"
    for epoch in range(1, plan.epochs + 1):
        module.train()
        for loss in losses():
            step += 1
            optimizer.param_groups[0]["lr"] = plan.learning_rate * scale * min(1.0, step / warm_up)
            _descend(loss, parameters, optimizer)
            tell(plan.what, step, plan.epochs * plan.steps_per_epoch, note)
        module.eval()
        loss = validate()
        if loss < best:
            best, best_epoch, best_weights = loss, epoch, copy.deepcopy(module.state_dict())
        else:
            scale *= 0.4
        note = f"validation {best:.4f}, epoch {epoch}"
        if epoch - best_epoch >= plan.patience:
            break
    module.load_state_dict(best_weights)
    module.eval()
    return Fitted(best, best_epoch, epoch)


def _descend(loss: Tensor, parameters: list[nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(parameters, _CLIP)
    optimizer.step()
