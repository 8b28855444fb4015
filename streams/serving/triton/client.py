"""Triton, asked with named tuples of arrays and answering with them (see `messages.wire`)."""

import logging
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import MAX_GRPC_MESSAGE_SIZE, InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from headrace.arrays import (
    DemandAnswer,
    DemandTensors,
    DescribeAnswer,
    DescribeTensors,
    ScoreAnswer,
    ScoreTensors,
    sent,
)
from headrace.errors import ModelUnavailable, RequestFailed, UnknownBlocks, WrongAnswer
from headrace.settings.model import Settings
from streams.operations import metrics
from streams.serving.models.verify import SHAPE
from streams.serving.triton.breaker import Breaker

logger = logging.getLogger(__name__)

_PROBE_S = 1.0
_HEALTH_S = 1.0
_ROW_MS = 50
"""Deadline added for each row asked for: a large batch is slow, not broken (rule 12)."""

_CHANNEL: Final = [
    ("grpc.max_send_message_length", MAX_GRPC_MESSAGE_SIZE),
    ("grpc.max_receive_message_length", MAX_GRPC_MESSAGE_SIZE),
    # Left to itself gRPC tries a server that was away for long every two minutes, and refuses calls in between.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1_000),
]

_FAILED: Final = frozenset(
    f"StatusCode.{name}" for name in ("INTERNAL", "INVALID_ARGUMENT", "OUT_OF_RANGE", "RESOURCE_EXHAUSTED", "UNKNOWN")
)
"""How a server that is there answers a request that it, or its model, cannot do."""
_ABSENT: Final = np.empty(0)
"""In place of an output that an answer lacks; whoever checks the answer finds it (`checking`)."""

Tensors = ScoreTensors | DescribeTensors | DemandTensors
A = TypeVar("A", ScoreAnswer, DescribeAnswer, DemandAnswer)


class _Raw(NamedTuple):
    """The arrays of an answer by name, and the version that gave them."""

    arrays: dict[str, Any]
    version: str


class Triton:
    """One client a process, a breaker for each model."""

    def __init__(self, settings: Settings) -> None:
        connection = settings.triton_connection
        self._client = InferenceServerClient(**connection.options(), channel_args=_CHANNEL)
        connection.prepare(self._client)
        self._base_ms = settings.deadline
        self._breakers: dict[str, Breaker] = {}
        self._versions: dict[str, str] = {}

    async def infer(self, model: str, tensors: Tensors, rows: int, kind: type[A]) -> tuple[A, str]:
        """Send one request; answer the named tuple `kind`, as the model filled it, and the model's version.

        Raises:
            ModelUnavailable: Triton refuses, has no such model, or is not in time; at once while the breaker is open.
            RequestFailed: it answers this request with an error.
            WrongAnswer: what it answers is no tensor.
            UnknownBlocks: the instance lacks blocks that the request names.
        """
        arrays, version = await self.infer_named(model, sent(tensors), rows)
        if (unknown := arrays.get("unknown_block")) is not None:
            raise UnknownBlocks(frozenset(unknown.tolist()))
        return kind(**{name: arrays.get(name, _ABSENT) for name in kind._fields}), version

    async def infer_named(
        self, model: str, inputs: Mapping[str, NDArray[Any]], rows: int
    ) -> tuple[dict[str, Any], str]:
        """The same by the names of tensors: the model's outputs, and its version.

        Raises:
            ModelUnavailable, RequestFailed, WrongAnswer: as `infer`.
        """
        breaker = self._breaker(model)
        if not breaker.closed:
            raise ModelUnavailable(f"{model} did not answer lately")
        try:
            raw = await self._infer(model, inputs, rows)
        except (InferenceServerException, OSError) as error:
            if isinstance(error, InferenceServerException) and error.status() in _FAILED:
                raise RequestFailed(f"{model}: {error}") from error
            if not _was_slow(error) or not await self._is_ready(model):
                self.mark_unavailable(model, str(error))
            raise ModelUnavailable(f"{model}: {error}") from error
        if raw.version != self._versions.get(model):
            metrics.served(model, raw.version, self._versions.get(model))
            self._versions[model] = raw.version
        return raw.arrays, raw.version

    def mark_unavailable(self, model: str, why: str) -> None:
        """Ask a model no more until Triton says again that it is ready."""
        breaker = self._breaker(model)
        if breaker.closed:
            logger.warning("model %s is unavailable, circuit breaker open: %s", model, why)
        breaker.trip()
        metrics.MODEL_AVAILABLE.labels(model).set(0)

    async def close(self) -> None:
        """Disconnect."""
        for breaker in self._breakers.values():
            breaker.cancel()
        await self._client.close()

    def _breaker(self, model: str) -> Breaker:
        if model not in self._breakers:
            self._breakers[model] = Breaker(lambda: self._is_back(model), _PROBE_S)
        return self._breakers[model]

    async def _is_back(self, model: str) -> bool:
        ready = await self._is_ready(model)
        if ready:
            logger.warning("model %s is available again, circuit breaker closed", model)
            metrics.MODEL_AVAILABLE.labels(model).set(1)
        return ready

    async def _is_ready(self, model: str) -> bool:
        try:
            return bool(await self._client.is_model_ready(model, client_timeout=_HEALTH_S))
        except (InferenceServerException, OSError):
            return False

    async def _infer(self, model: str, inputs: Mapping[str, NDArray[Any]], rows: int) -> _Raw:
        tensors = [_input(name, array) for name, array in inputs.items()]
        result = await self._client.infer(model, tensors, client_timeout=deadline_s(self._base_ms, rows))
        if result is None:
            raise ModelUnavailable(f"{model} answered nothing")
        response = result.get_response()
        try:
            arrays = {output.name: result.as_numpy(output.name) for output in response.outputs}
        except (InferenceServerException, TypeError, ValueError) as error:  # its bytes are not of its shape
            raise WrongAnswer(SHAPE, f"an output of it is no tensor: {error}") from error
        return _Raw(arrays, response.model_version)


def deadline_s(base_ms: int, rows: int) -> float:
    """Seconds that a request of so many rows may take."""
    return (base_ms + _ROW_MS * rows) / 1000


def _was_slow(error: Exception) -> bool:
    return isinstance(error, InferenceServerException) and error.status() == "StatusCode.DEADLINE_EXCEEDED"


def _input(name: str, array: NDArray[np.generic]) -> InferInput:
    tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
    tensor.set_data_from_numpy(array)
    return tensor
