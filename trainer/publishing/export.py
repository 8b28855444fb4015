"""Write a trained model as a folder that stands alone: exported programs, plain arrays, requests to check them by."""

import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from streams.messages.wire import CONTEXT, HISTORY, MODEL
from trainer.behaviour.model import ShopperModel
from trainer.practice.whole import write_whole
from trainer.publishing.reference import Arrays, Reference
from trainer.publishing.serving import Trained
from trainer.publishing.version_folder import add_serving_code, whole_folder
from trainer.text.encoder import TextModel


def export(trained: Trained, text: TextModel, references: list[Reference], out: Path) -> None:
    """Write weights and the serving folder of the shopper model.

    Args:
        references: requests and the trained model's own answers, which publishing holds the served ones against.
        out: a folder; `out/headrace` becomes what a version is published from.

    Raises:
        ModelError: the disk refuses; what the folder held before is kept.
    """
    weights = io.BytesIO()
    torch.save(trained.model.state_dict(), weights)
    write_whole(out / "weights.pt", weights.getvalue())
    with whole_folder(out / MODEL) as folder:
        _write_version(trained, text, references, folder)
        add_serving_code(MODEL, folder)


def _write_version(trained: Trained, text: TextModel, references: list[Reference], folder: Path) -> None:
    _save(folder / "arrays.npz", {name: tensor.numpy() for name, tensor in trained.arrays.items()})
    (folder / "tokenizer.json").write_text(text.tokenizer.to_str(pretty=True), "utf-8")
    write_shopper_programs(trained.model, folder, clicks=trained.clicks is not None)
    _write_text(trained, folder)
    for reference in references:
        answers = {f"out_{name}": array for name, array in reference.answer.items()}
        _save(folder / f"reference_{reference.name}.npz", {**reference.request, **answers})
    width, items = trained.model.config.width, len(trained.arrays["item_hash"])
    meta = {"width": width, "items": items, "has_ctr": trained.clicks is not None}
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")


def write_shopper_programs(model: ShopperModel, folder: Path, *, clicks: bool) -> None:
    """Write the behaviour encoder as `history.ts`, and the click head as `click.ts`.

    TorchScript: an exported graph is walked in Python, which for one shopper takes four times as long.
    """
    width, some = model.config.width, HISTORY // 2
    history = (torch.randn(3, some, width), torch.ones(3, some, dtype=torch.int32), _longs(3, some), _longs(3))
    _trace(model.encoder, history, folder / "history.ts")
    if clicks:
        vectors = (torch.randn(3, width), torch.randn(3, width), torch.randn(3))
        _trace(model.click, (*vectors, _longs(3), _longs(3, CONTEXT), _longs(3)), folder / "click.ts")


def _write_text(trained: Trained, folder: Path) -> None:
    texts, tokens = Dim("texts", min=1), Dim("tokens", min=2, max=512)
    ids = torch.ones(3, 5, dtype=torch.long)
    _write(trained.text, (ids, ids.clone()), ({0: texts, 1: tokens},) * 2, folder / "text.pt2")


def _save(path: Path, arrays: Arrays) -> None:
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]  (no array of ours is named `allow_pickle`)


def _longs(*shape: int) -> Tensor:
    return torch.arange(int(np.prod(shape))).view(shape)


def _write(module: nn.Module, inputs: tuple[Tensor, ...], shapes: tuple[object, ...], path: Path) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own modules, about their own attributes
        program = torch.export.export(module.eval(), inputs, dynamic_shapes=shapes)  # pyright: ignore[reportArgumentType]
    _save_program(lambda buffer: torch.export.save(program, buffer), path)


def _trace(module: nn.Module, inputs: tuple[Tensor, ...], path: Path) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that torch.export is the way to go: see above
        program = torch.jit.trace(module.eval(), inputs, check_trace=False)
    _save_program(lambda buffer: torch.jit.save(program, buffer), path)


def _save_program(save: Callable[[io.BytesIO], None], path: Path) -> None:
    # Written by Python, so that a full disk is an OSError like any other.
    buffer = io.BytesIO()
    save(buffer)
    path.write_bytes(buffer.getvalue())
