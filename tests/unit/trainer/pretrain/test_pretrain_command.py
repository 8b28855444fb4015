"""`headrace pretrain`, then `headrace train --pretrained`: from one stream to a trained folder that started from it."""

import json
from pathlib import Path

import msgspec
import pytest
from small_shop import write
from two_shops import CONFIG
from typer.testing import CliRunner

from headrace.errors import UsageError
from headrace_cli import app
from trainer.behaviour import next_item
from trainer.pretrain import fitting


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Runs a command on the small encoder and settings; its JSON or its error."""
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(next_item, "_LEAST_STEPS", 1)
    monkeypatch.setattr(fitting, "_LEAST_STEPS", 1)

    def run(*arguments: object) -> dict[str, object]:
        done = CliRunner().invoke(app, [*map(str, arguments), "--json"])
        if isinstance(done.exception, Exception):
            raise done.exception
        return json.loads(done.stdout.splitlines()[-1])

    return run


def test_a_training_starts_from_the_file_and_says_so(command, tmp_path: Path, stream: Path, tiny_encoder: str):
    settings, file = tmp_path / "settings.json", tmp_path / "shop.pretrained"
    settings.write_bytes(msgspec.json.encode(CONFIG))
    common = ["--stream", stream, "--text-encoder", tiny_encoder]
    report = command("pretrain", *common, "--settings", settings, "--out", file)
    assert report["after"]["next_item"] < report["before"]["next_item"]
    metrics = command("train", *common, "--out", tmp_path / "model", "--pretrained", file)
    assert len(metrics["run"]["settings"]["pretrained"]) == 64
    assert metrics["run"]["settings"]["width"] == CONFIG.width
    assert (tmp_path / "model" / "model_card.md").exists()
    with pytest.raises(UsageError, match="give that as --text-encoder"):
        command("train", "--stream", stream, "--out", tmp_path / "other", "--pretrained", file)


def test_a_stream_that_is_missing_or_too_short_leaves_no_file(command, tmp_path: Path, tiny_encoder: str):
    out = tmp_path / "shop.pretrained"
    with pytest.raises(UsageError, match="No such file"):
        command("pretrain", "--stream", tmp_path / "none.jsonl", "--out", out)
    empty = write(tmp_path / "short.jsonl", [])
    with pytest.raises(Exception, match=r"short\.jsonl"):
        command("pretrain", "--stream", empty, "--out", out, "--text-encoder", tiny_encoder)
    assert not out.exists()
