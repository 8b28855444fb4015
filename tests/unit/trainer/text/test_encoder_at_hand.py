"""A text encoder that cannot be had is one line, before a stream is read."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from headrace.errors import ModelError, UsageError
from trainer.evaluation.lists import trade_off
from trainer.pretrain.pretrain import pretrain
from trainer.text import encoder
from trainer.text.encoder import load_text_model, require_text_model
from trainer.tracking.search import search_settings
from trainer.train import train

CPU = torch.device("cpu")


def without(source: str, folder: Path, *patterns: str) -> Path:
    shutil.copytree(source, folder)
    for pattern in patterns:
        for path in folder.glob(pattern):
            path.unlink()
    return folder


def damaged(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder


BROKEN: dict[str, Callable[[str, Path], object]] = {
    "none": lambda encoder, folder: None,
    "empty": lambda encoder, folder: folder.mkdir(),
    "without weights": lambda encoder, folder: without(encoder, folder, "*.safetensors", "*.bin"),
    "without tokenizer": lambda encoder, folder: without(encoder, folder, "tokenizer*", "vocab*"),
    "torn weights": lambda encoder, folder: damaged(without(encoder, folder), "model.safetensors", b"torn"),
    "torn configuration": lambda encoder, folder: damaged(without(encoder, folder), "config.json", b"{"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_whatever_is_wrong_with_it_is_one_line(tiny_encoder: str, tmp_path: Path, kind: str):
    folder = tmp_path / "encoder"
    BROKEN[kind](tiny_encoder, folder)
    with pytest.raises(UsageError) as refused:
        load_text_model(str(folder), CPU)
    message = str(refused.value)
    assert message.startswith(f"--text-encoder {folder}: ")
    assert message.endswith("or the name of a model that this machine can download")
    assert "\n" not in message


def test_it_is_asked_for_before_the_stream_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    stream, nobody = tmp_path / "stream.jsonl", str(tmp_path / "none")
    os.mkfifo(stream)  # whoever reads it waits for ever
    monkeypatch.setattr(trade_off, "load_recommender", lambda _: None)
    quiet = lambda *_: None  # noqa: E731
    calls = [
        lambda: train(stream, tmp_path / "out", window_ms=3_600_000, horizon=4, on_progress=quiet, text_encoder=nobody),
        lambda: pretrain(stream, tmp_path / "out", on_progress=quiet, text_encoder=nobody),
        lambda: search_settings(
            stream, tmp_path / "s", tmp_path / "o", trials=1, on_progress=quiet, text_encoder=nobody
        ),
        lambda: trade_off.measure_trade_off(stream, tmp_path, None, nobody, quiet),
    ]
    for ask in calls:
        with pytest.raises(UsageError, match=f"--text-encoder {nobody}"):
            ask()


def test_the_installed_one_is_asked_for_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(encoder, "find_spec", lambda _: None)
    with pytest.raises(ModelError, match="pip install"):
        require_text_model(None)
