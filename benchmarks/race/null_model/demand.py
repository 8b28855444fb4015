"""Triton's side of the null forecaster: quantiles of a mean, the same for every window."""

import json
from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils  # pyright: ignore[reportMissingImports]


class TritonPythonModel:
    """Every quantile is a multiple of the mean of the history."""

    def initialize(self, args: dict[str, str]) -> None:
        """Read how many windows and quantiles a forecast has."""
        torch.set_num_threads(1)
        meta = json.loads((Path(__file__).parent / "meta.json").read_text())
        levels = torch.tensor(meta["quantiles"])
        self._share = (2 * levels).expand(meta["horizon"], -1)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        units = torch.from_dlpack(pb_utils.get_input_tensor_by_name(request, "units").to_dlpack())
        quantiles = units.mean(1)[:, None, None] * self._share
        answer = pb_utils.Tensor.from_dlpack("quantiles", quantiles.contiguous())
        return pb_utils.InferenceResponse(output_tensors=[answer])
