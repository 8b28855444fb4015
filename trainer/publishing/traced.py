"""Write a module as a program that Triton runs: TorchScript, traced.

A graph of `torch.export` takes seconds to load (it is parsed symbol by symbol, and so is what its loading imports), and
is walked in Python, which for one shopper takes four times as long.
"""

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from headrace.errors import ModelError

_TOLERANCE: Final = 1e-4

Example = tuple[Tensor, ...]


def write_traced(module: nn.Module, inputs: Example, other: Example, path: Path) -> None:
    """Trace a module as it is served.

    Args:
        inputs: an example. Whatever differs between requests is to differ from 0 and 1 in it, and padding to occur.
        other: an example of other sizes, which the program has to answer as the module does: a trace keeps for good
            what the module decided in Python.

    Raises:
        ModelError: it answers `other` in another way.
        OSError: the disk refuses.
    """
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch.export is the way to go: see above
        program: Any = torch.jit.trace(module.eval(), inputs, check_trace=False)
        _check(program, module, other, path.stem)
        torch.jit.save(program, buffer)
    # Written by Python, so that a full disk is an OSError like any other.
    path.write_bytes(buffer.getvalue())


def _check(program: Callable[..., Any], module: nn.Module, other: Example, name: str) -> None:
    wanted = _every(module(*other))
    try:
        traced = _every(program(*other))
    except RuntimeError as error:  # what a trace has kept of the first example's sizes does not fit
        raise ModelError(f"the {name} program cannot be traced for serving: {str(error).splitlines()[-1]}") from error
    if len(traced) != len(wanted) or not all(map(_alike, traced, wanted)):
        raise ModelError(f"the {name} program answers otherwise than what it was traced from: it cannot be served")


def _every(answer: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def _alike(traced: Tensor, wanted: Tensor) -> bool:
    return traced.shape == wanted.shape and torch.allclose(traced, wanted, atol=_TOLERANCE, rtol=_TOLERANCE)
