"""Where training runs: device, threads, and one seed for every generator."""

import os
import random

import numpy as np
import torch

from headrace.errors import UsageError


def pick_device(name: str) -> torch.device:
    """The device that `--device` names.

    Raises:
        UsageError: there is none.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise UsageError(f"--device {name}: it must be auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: no CUDA device is available; use --device cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


def use_cores() -> int:
    """Let torch use the cores that this process may run on, and return their number."""
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(cores)
    return cores


def leave_a_core() -> None:
    """Give torch all cores but one, or this process's share of them under `torchrun`.

    Two threads that wait for one core cost ten times what one thread costs: everything else gets a core.
    """
    cores, local = len(os.sched_getaffinity(0)), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    torch.set_num_threads(max(1, cores // local if local > 1 else cores - 1))


def make_deterministic(seed: int) -> None:
    """Seed every generator that training draws from."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
