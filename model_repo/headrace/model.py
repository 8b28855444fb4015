"""Triton's Python backend for the shopper model: tensors in by DLPack, traced programs, tensors out by DLPack.

With numpy 2 the backend's own numpy bridge gives empty tensors without an error, so none of it is used here.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import triton_python_backend_utils as pb_utils  # pyright: ignore[reportMissingImports]
from torch import Tensor

from .contexts import Contexts, UnknownBlocks
from .memory import Trimmed, keep_freed, trim_heap
from .programs import load_program
from .scorer import ServedScorer
from .texts import Texts, in_bfloat16, made_by

_SCORE_INPUT = "history_item"


class TritonPythonModel:
    """One version. The folder that holds this file holds all that it reads."""

    def initialize(self, args: dict[str, str]) -> None:
        """Load the version; one thread an instance on CPU, since instances are what scales."""
        torch.set_num_threads(1)
        keep_freed()
        folder = Path(__file__).parent
        parameters = json.loads(args["model_config"])["parameters"]
        setting = parameters["device"]["string_value"]
        cuda = args["model_instance_kind"] == "GPU" if setting == "auto" else setting == "cuda"
        self._device = torch.device(f"cuda:{args['model_instance_device_id']}" if cuda else "cpu")
        arrays = {k: torch.from_numpy(v).to(self._device) for k, v in np.load(folder / "arrays.npz").items()}
        has_ctr = (folder / "click.ts").exists()
        click = load_program(folder / "click.ts", self._device) if has_ctr else None
        diversity = float(parameters["diversity"]["string_value"])
        self._scorer = ServedScorer(arrays, load_program(folder / "history.ts", self._device), click, diversity)
        text = load_program(folder / "text.ts", self._device)
        encode = in_bfloat16(text, self._device) if parameters["text_precision"]["string_value"] == "bfloat16" else text
        self._texts = Texts(folder / "tokenizer.json", encode, self._device)
        made = (folder / "text.ts", folder / "tokenizer.json")
        self._encoder = torch.tensor([made_by(made, parameters["text_precision"]["string_value"])])
        self._contexts = Contexts(self._scorer.items, int(self._encoder))
        self._has_ctr = torch.tensor([has_ctr], dtype=torch.uint8)
        self._memory = Trimmed(trim_heap)

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer each request; one that fails answers with its error and leaves the others alone."""
        self._memory.trim_if_due()
        return [self._answer(request) for request in requests]

    def _answer(self, request: Any) -> Any:
        try:
            with torch.inference_mode():
                tensors = {tensor.name(): self._from_triton(tensor) for tensor in request.inputs()}
                answer = self._score(tensors) if _SCORE_INPUT in tensors else self._describe(tensors)
                outputs = [_to_triton(name, tensor) for name, tensor in answer.items()]
            return pb_utils.InferenceResponse(output_tensors=outputs)
        except (KeyError, IndexError, ValueError, RuntimeError) as error:
            return pb_utils.InferenceResponse(error=pb_utils.TritonError(f"{type(error).__name__}: {error}"))

    def _score(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        try:
            context = self._contexts.of(tensors)
        except UnknownBlocks as unknown:
            return {"unknown_block": torch.tensor(unknown.names)}
        return {**self._scorer.score(tensors, context), "encoder": self._encoder}

    def _describe(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {
            "known": self._scorer.known(tensors["probe_item"]),
            "repeats": self._scorer.items.repeats(tensors["probe_item"]),
            "text_vector": self._texts.vectors(tensors["text_bytes"], tensors["text_length"]),
            "popular": self._scorer.arrays["popular"],
            "has_ctr": self._has_ctr,
            "encoder": self._encoder,
        }

    def _from_triton(self, tensor: Any) -> Tensor:
        return torch.from_dlpack(tensor.to_dlpack()).to(self._device)


def _to_triton(name: str, tensor: Tensor) -> Any:
    return pb_utils.Tensor.from_dlpack(name, tensor.cpu().contiguous())
