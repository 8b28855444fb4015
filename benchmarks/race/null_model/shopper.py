"""Triton's side of the null model: the shapes of a real answer, the same for everyone, without a product or a sum."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
import triton_python_backend_utils as pb_utils  # pyright: ignore[reportMissingImports]
from torch import Tensor

_TOP_K = 20
_RATE = 0.05
_Tensors = dict[str, Tensor]


class TritonPythonModel:
    """Lists the most popular items; the newest event is every item's reason."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read what the version knows."""
        torch.set_num_threads(1)
        arrays = np.load(Path(__file__).parent / "arrays.npz")
        self._popular = torch.from_numpy(arrays["popular"])
        self._known = torch.from_numpy(arrays["item_hash"])
        self._width = arrays["item_vector"].shape[1]

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        tensors = {t.name(): torch.from_dlpack(t.to_dlpack()) for t in request.inputs()}
        answer = self._score(tensors) if "history_item" in tensors else self._describe(tensors)
        outputs = [pb_utils.Tensor.from_dlpack(name, tensor.contiguous()) for name, tensor in answer.items()]
        return pb_utils.InferenceResponse(output_tensors=outputs)

    def _score(self, tensors: _Tensors) -> _Tensors:
        n = len(tensors["history_item"])
        event = torch.full((n, _TOP_K, 2), -1, dtype=torch.int32)
        event[:, :, 0] = tensors["history_item"].shape[1] - 1
        return {
            "rec_item": self._popular[:_TOP_K].expand(n, -1),
            "rec_score": torch.arange(_TOP_K, 0, -1).float().expand(n, -1),
            "rec_ctr": torch.full((n, _TOP_K), _RATE),
            "reason_event": event,
            "reason_weight": (event >= 0).float(),
            "reason_part": torch.zeros(n, _TOP_K, 2),
            "ctr": torch.full(tensors["candidate_item"].shape, _RATE),
            "encoder": torch.ones(1, dtype=torch.int64),
        }

    def _describe(self, tensors: _Tensors) -> _Tensors:
        return {
            "known": torch.isin(tensors["probe_item"], self._known).to(torch.uint8),
            "repeats": torch.zeros(len(tensors["probe_item"]), dtype=torch.uint8),
            "text_vector": torch.zeros(len(tensors["text_length"]), self._width),
            "popular": self._popular,
            "has_ctr": torch.ones(1, dtype=torch.uint8),
            "encoder": torch.ones(1, dtype=torch.int64),
        }
