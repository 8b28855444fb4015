"""A text encoder with a head over it: what fine-tuning gives, kept in a folder that needs no peft."""

import json
from pathlib import Path
from typing import Final, NamedTuple, cast

import torch
from torch import Tensor
from transformers import PreTrainedModel

from headrace.errors import ModelError, UsageError
from headrace.files.atomic import atomic_folder
from trainer.text.encoder import TextModel, embed, load_text_model
from trainer.text.heads import CosineHead, LinearHead

_HEAD: Final = "head.pt"
_CLASSES: Final = "classes.json"


class Classifier(NamedTuple):
    """A text model, a head over it, and the names of its classes."""

    model: TextModel
    head: CosineHead | LinearHead
    classes: list[str]

    @torch.inference_mode()
    def logits(self, texts: list[str]) -> Tensor:
        """Logits, in float32. [N, C]"""
        return self.head(self.vectors(texts))

    def vectors(self, texts: list[str]) -> Tensor:
        """Unit vectors, in float32. [N, T]"""
        return embed(self.model, texts, next(self.head.parameters()).device, lambda _: None)


def save_classifier(classifier: Classifier, out: Path) -> None:
    """Write a folder; it stands in its place when everything in it is on disk, or not at all.

    Raises:
        UsageError: the folder exists, or cannot be written.
        ModelError: the method adds weights that cannot be folded into the encoder.
    """
    backbone = classifier.model.encoder.backbone
    if type(backbone).__module__.startswith("peft") or not isinstance(backbone, PreTrainedModel):
        raise ModelError("prefix tuning changes how the encoder runs, so it cannot be saved by itself; use lora")
    if out.exists():
        raise UsageError(f"--out {out}: it exists; name a new folder")
    try:
        with atomic_folder(out) as folder:
            backbone.save_pretrained(folder)
            _write_rest(classifier, folder)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror or error}") from error


def load_classifier(folder: Path, device: torch.device, most_tokens: int) -> Classifier:
    """Read what `save_classifier` wrote.

    Raises:
        UsageError: the folder holds no classifier.
    """
    model = load_text_model(str(folder), device, most_tokens)
    try:
        state = cast(dict[str, Tensor], torch.load(folder / _HEAD, map_location=device, weights_only=True))
        classes = cast(list[str], json.loads((folder / _CLASSES).read_text("utf-8")))
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}: {error.filename}") from error
    weight = state["class_CT"] if "class_CT" in state else state["weight_CT"]
    head = CosineHead(weight) if "class_CT" in state else LinearHead(weight, state["bias_C"])
    head.load_state_dict(state)
    return Classifier(model, head.to(device).eval(), classes)


def _write_rest(classifier: Classifier, folder: Path) -> None:
    classifier.model.tokenizer.save(str(folder / "tokenizer.json"))
    pad = classifier.model.tokenizer.padding or {}
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": pad.get("pad_token", "[PAD]")}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")
    (folder / _CLASSES).write_text(json.dumps(classifier.classes, ensure_ascii=False), "utf-8")
    torch.save(classifier.head.state_dict(), folder / _HEAD)
