"""Triton, asked with named tuples of arrays and answering with them (see `messages.wire`)."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from streams.engine.breaker import Breaker
from streams.errors import ModelUnavailable
from streams.settings import Settings

logger = logging.getLogger(__name__)

_PROBE_S = 1.0
_ROW_MS = 50
"""Deadline added for each row asked for: a large batch is slow, not broken (rule 12)."""


class _Arrays(Protocol):
    _fields: tuple[str, ...]

    def __getitem__(self, index: int, /) -> NDArray[np.generic]: ...


A = TypeVar("A", bound=tuple[NDArray[np.generic], ...])


class Versioned(NamedTuple):
    """The arrays of an answer by name, and the version that gave them."""

    arrays: dict[str, NDArray[np.generic]]
    version: str


class Triton:
    """One client a process, a breaker for each model."""

    def __init__(self, settings: Settings) -> None:
        self._client = InferenceServerClient(settings.triton_address)
        self._base_ms = settings.deadline
        self._breakers: dict[str, Breaker] = {}

    async def ask(self, model: str, tensors: "_Arrays", rows: int, kind: Callable[..., A]) -> tuple[A, str]:
        """Send one request; answer the named tuple `kind` and the model's version.

        Raises:
            ModelUnavailable: Triton refuses, has no such model, or is not in time; at once while the breaker is open.
        """
        breaker = self._breakers.setdefault(model, Breaker(_PROBE_S, time.monotonic))
        if not breaker.may_call():
            raise ModelUnavailable(f"{model} did not answer lately")
        try:
            answer = await self._infer(model, tensors, rows)
        except (InferenceServerException, asyncio.TimeoutError, OSError) as error:
            if breaker.closed:
                logger.warning("%s is not available: %s", model, error)
            breaker.refused()
            raise ModelUnavailable(f"{model}: {error}") from error
        if not breaker.closed:
            logger.warning("%s is available again", model)
        breaker.succeeded()
        names: tuple[str, ...] = kind._fields  # type: ignore[attr-defined]
        return kind(*(answer.arrays[name] for name in names)), answer.version

    async def close(self) -> None:
        """Disconnect."""
        await self._client.close()

    async def _infer(self, model: str, tensors: "_Arrays", rows: int) -> Versioned:
        inputs = [_input(name, tensors[i]) for i, name in enumerate(tensors._fields)]
        timeout = (self._base_ms + _ROW_MS * rows) / 1000
        result = await self._client.infer(model, inputs, client_timeout=timeout)
        response = result.get_response()
        arrays = {o.name: result.as_numpy(o.name) for o in response.outputs}
        return Versioned(arrays, response.model_version)


def _input(name: str, array: NDArray[np.generic]) -> InferInput:
    tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor
