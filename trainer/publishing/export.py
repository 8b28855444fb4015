"""Write a trained model as a folder that stands alone: exported programs, plain arrays, requests to check them by."""

import json
import shutil
import warnings
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim

from streams.messages.wire import CONTEXT, HISTORY, MODEL
from trainer.publishing.reference import Arrays, Reference
from trainer.publishing.serving import Trained
from trainer.text.encoder import TextModel

#: What Triton gets for each model: written here once, copied into every trained folder.
SERVING: Final = Path(__file__).parents[2] / "model_repo"


def export(trained: Trained, text: TextModel, references: list[Reference], out: Path) -> None:
    """Write weights and the serving folder of the shopper model.

    Args:
        references: requests and the trained model's own answers, which publishing holds the served ones against.
        out: a folder; `out/headrace` becomes what a version is published from.
    """
    folder = out / MODEL
    shutil.rmtree(folder, ignore_errors=True)  # of an earlier training, which may have had a click head
    folder.mkdir(parents=True)
    torch.save(trained.model.state_dict(), out / "weights.pt")
    _save(folder / "arrays.npz", {name: tensor.numpy() for name, tensor in trained.arrays.items()})
    text.tokenizer.save(str(folder / "tokenizer.json"))
    _write_programs(trained, folder)
    for reference in references:
        answers = {f"out_{name}": array for name, array in reference.answer.items()}
        _save(folder / f"reference_{reference.name}.npz", {**reference.request, **answers})
    width, items = trained.model.config.width, len(trained.arrays["item_hash"])
    meta = {"width": width, "items": items, "has_ctr": trained.clicks is not None}
    (folder / "meta.json").write_text(json.dumps(meta, indent=2) + "\n")


def add_serving_code(folder: Path) -> None:
    """Put Triton's configuration and code of a model beside what was exported, so that the folder stands alone."""
    for source in (SERVING / folder.name).iterdir():
        if source.suffix in {".py", ".pbtxt"} and source.name != "__init__.py":
            shutil.copyfile(source, folder / source.name)


def _write_programs(trained: Trained, folder: Path) -> None:
    rows, texts, tokens = Dim("rows", min=1), Dim("texts", min=1), Dim("tokens", min=2, max=512)
    width = trained.model.config.width
    history = (torch.randn(3, HISTORY, width), torch.ones(3, HISTORY, dtype=torch.int32), _longs(3, HISTORY), _longs(3))
    _write(trained.model.encoder, history, ({0: rows},) * 4, folder / "history.pt2")
    ids = torch.ones(3, 5, dtype=torch.long)
    _write(trained.text, (ids, ids.clone()), ({0: texts, 1: tokens},) * 2, folder / "text.pt2")
    if trained.clicks is not None:
        vectors = (torch.randn(3, width), torch.randn(3, width), torch.randn(3))
        rest = (_longs(3), _longs(3, CONTEXT), _longs(3))
        _write(trained.model.click, (*vectors, *rest), ({0: rows},) * 6, folder / "click.pt2")


def _save(path: Path, arrays: Arrays) -> None:
    np.savez(path, **arrays)  # pyright: ignore[reportArgumentType]  (no array of ours is named `allow_pickle`)


def _longs(*shape: int) -> Tensor:
    return torch.arange(int(np.prod(shape))).view(shape)


def _write(module: nn.Module, inputs: tuple[Tensor, ...], shapes: tuple[object, ...], path: Path) -> None:
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own modules, about their own attributes
        program = torch.export.export(module.eval(), inputs, dynamic_shapes=shapes)  # pyright: ignore[reportArgumentType]
    torch.export.save(program, path)
