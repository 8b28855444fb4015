"""Serves the demand forecaster that `headrace train` traced: program.ts and meta.json beside this file.

Tensors cross by DLPack: with numpy 2, the backend's numpy conversions give empty tensors without an error.
"""

import json
from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils  # pyright: ignore[reportMissingImports]

_INPUTS = ("units", "window_start", "window_ms", "item", "category", "price")


class TritonPythonModel:
    """Quantiles of the next windows' demand for a batch of series."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the version's program onto the instance's device."""
        folder = Path(args["model_repository"]) / args["model_version"]
        self._window_ms = int(json.loads((folder / "meta.json").read_text())["window_ms"])
        on_gpu = args["model_instance_kind"] == "GPU"
        self._device = torch.device(f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu")
        # The batch is in the request; more threads than one would take the cores of the workers.
        torch.set_num_threads(1)
        self._program: Any = torch.jit.freeze(torch.jit.load(folder / "program.ts", map_location=self._device).eval())

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request."""
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        tensors = {
            name: torch.from_dlpack(pb_utils.get_input_tensor_by_name(request, name).to_dlpack()) for name in _INPUTS
        }
        window_ms = int(tensors["window_ms"])
        if window_ms != self._window_ms:
            error = f"this version forecasts windows of {self._window_ms} ms, asked for {window_ms}: retrain"
            return pb_utils.InferenceResponse(output_tensors=[], error=pb_utils.TritonError(error))
        with torch.inference_mode():
            quantiles = self._program(*(tensor.to(self._device) for tensor in tensors.values()))
        answer = pb_utils.Tensor.from_dlpack("quantiles", quantiles.cpu().contiguous())
        return pb_utils.InferenceResponse(output_tensors=[answer])
