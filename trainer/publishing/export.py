"""Write a trained model as a folder that stands alone: traced programs, plain arrays, requests to check them by."""

import io
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from headrace.arrays import CONTEXT, HISTORY, MODEL
from trainer.behaviour.model import ShopperModel
from trainer.publishing.reference import Arrays, Reference
from trainer.publishing.serving import Trained
from trainer.publishing.traced import Example, write_traced
from trainer.publishing.version_folder import add_serving_code, whole_folder
from trainer.text.encoder import TextModel
from trainer.training_loop.complete import write_whole


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
    write_traced(trained.text, _texts(3, 5), _texts(2, 9), folder / "text.ts")
    for reference in references:
        answers = {f"out_{name}": array for name, array in reference.answer.items()}
        _save(folder / f"reference_{reference.name}.npz", {**reference.request, **answers})
    width, items = trained.model.config.width, len(trained.arrays["item_hash"])
    meta = {"width": width, "items": items, "has_ctr": trained.clicks is not None}
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")


def write_shopper_programs(model: ShopperModel, folder: Path, *, clicks: bool) -> None:
    """Write the behaviour encoder as `history.ts`, and the click head as `click.ts`."""
    width = model.config.width
    write_traced(model.encoder, _events(3, HISTORY // 2, width), _events(2, HISTORY, width), folder / "history.ts")
    if clicks:
        write_traced(model.click, _pairs(3, width), _pairs(5, width), folder / "click.ts")


def _events(count: int, length: int, width: int) -> Example:
    some = torch.ones(count, length, dtype=torch.int32).triu()  # not all are of full length; right-aligned
    return torch.randn(count, length, width), some, _longs(count, length), _longs(count)


def _pairs(count: int, width: int) -> Example:
    vectors = (torch.randn(count, width), torch.randn(count, width), torch.randn(count))
    return *vectors, _longs(count), _longs(count, CONTEXT), _longs(count)


def _texts(count: int, tokens: int) -> Example:
    ids = torch.ones(count, tokens, dtype=torch.long)
    return ids, ids.tril(tokens - count)


def _save(path: Path, arrays: Arrays) -> None:
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]  (no array of ours is named `allow_pickle`)


def _longs(*shape: int) -> Tensor:
    return torch.arange(int(np.prod(shape))).view(shape)
