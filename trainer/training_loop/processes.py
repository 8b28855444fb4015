"""Training on several processes: `torchrun` starts them, batches are dealt out, gradients are averaged by hand.

Every process holds the whole model and reads the whole data. Of an epoch's batches process r takes each W-th from the
r-th on; a step's gradient is the mean over the batches that the step took anywhere. One process that accumulates W
batches a step therefore reaches the same weights, up to the order of sums.
"""

import itertools
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

T = TypeVar("T")


class Processes(NamedTuple):
    """Which process this is, of how many."""

    rank: int
    world: int

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and tells people."""
        return self.rank == 0


def processes() -> Processes:
    """Of the group that this process has joined; one of one outside of any."""
    if not dist.is_initialized():
        return Processes(0, 1)
    return Processes(dist.get_rank(), dist.get_world_size())


def is_first() -> bool:
    """Whether `torchrun` started this process as the first, or it runs alone; asked before any group is joined."""
    return int(os.environ.get("RANK", "0")) == 0


@contextmanager
def joined(device: torch.device) -> Generator[Processes]:
    """Join the processes that `torchrun` started, for as long as the block lasts; alone without `torchrun`."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes(0, 1)
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield processes()
    finally:
        dist.destroy_process_group()


def mine(batches: Iterable[T]) -> Iterator[T]:
    """This process's share of an epoch's batches."""
    here = processes()
    return itertools.islice(batches, here.rank, None, here.world)


def start_alike(module: nn.Module) -> None:
    """Give every process the first one's weights."""
    if processes().world > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, src=0)


def wait_for_all() -> None:
    """Go on when every process has come here."""
    if processes().world > 1:
        dist.barrier()


def agree(value: float, device: torch.device) -> float:
    """The first process's value, so that all stop at the same epoch."""
    if processes().world == 1:
        return value
    shared = torch.tensor([value], dtype=torch.float64, device=device)
    dist.broadcast(shared, src=0)
    return float(shared.item())


def average_gradients(parameters: Sequence[nn.Parameter], batches: int) -> int:
    """Turn the sums of gradients that each process holds into the mean over all batches of a step.

    A process whose share of the epoch is used up takes part with 0 batches.

    Returns:
        batches: how many the step took, on all processes; 0 ends the epoch.
    """
    if processes().world > 1:
        batches = _sum_gradients(parameters, batches)
    if batches > 1:
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad /= batches
    return batches


def _sum_gradients(parameters: Sequence[nn.Parameter], batches: int) -> int:
    device = parameters[0].device
    has_grad = [float(p.grad is not None) for p in parameters]
    parts = [(torch.zeros_like(p) if p.grad is None else p.grad).flatten().float() for p in parameters]
    flat = torch.cat([*parts, torch.tensor([*has_grad, float(batches)], device=device)])
    dist.all_reduce(flat)
    # A parameter that no batch anywhere used keeps no gradient, as it would on one process.
    used: list[float] = flat[-len(has_grad) - 1 : -1].tolist()
    sums: tuple[Tensor, ...] = flat[: -len(has_grad) - 1].split([p.numel() for p in parameters])
    for parameter, total, users in zip(parameters, sums, used, strict=True):
        parameter.grad = total.view_as(parameter).to(parameter.dtype) if users else None
    return round(float(flat[-1].item()))
