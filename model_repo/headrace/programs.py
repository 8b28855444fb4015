"""Load a traced program onto a device. Stands alone beside `model.py`."""

from pathlib import Path
from typing import Any

import torch


def load_program(path: Path, device: torch.device) -> Any:
    """A TorchScript program, ready to answer on `device`."""
    program: Any = torch.jit.load(path, map_location=device).eval()
    if device.type != "cpu":
        move_constants(program, device)
    return torch.jit.freeze(program)


def move_constants(program: Any, device: torch.device) -> None:
    """Let a program traced on a CPU make what it makes on `device`.

    Its parameters move when it is loaded. The device that a traced `arange` was made on stays in the graph.
    """
    made: Any = torch.jit.trace(lambda: torch.zeros(1, device=device), ())
    graph = made.graph
    present = _devices(graph)[0]
    for module in program.modules():
        if not module._c._has_method("forward"):  # it was never called as a whole: a list, say
            continue
        graph = module.graph
        for node in _devices(graph):
            node.copyAttributes(present)


def _devices(graph: Any) -> list[Any]:
    """Its nodes that name a device. They live as long as the graph."""
    return [node for node in graph.findAllNodes("prim::Constant") if str(node.output().type()) == "Device"]
