"""`headrace finetune multitask` on small files in the form of the public sets."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.errors import UsageError
from headrace_cli import app


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two of the public sets, cut to a few lines."""
    intent, mood, shops = (tmp_path / part for part in ("support/banking77", "sentiment", "matching/abt_buy"))
    for folder in (intent, mood, shops):
        folder.mkdir(parents=True)
    for name in ("train", "test"):
        texts = [f"where is my {word} number {n},{word}" for n in range(12) for word in ("card", "loan")]
        (intent / f"{name}.csv").write_text("\n".join(["text,category", *texts]) + "\n")
    for name in ("train", "dev", "test"):
        (mood / f"stsa.binary.{name}").write_text("".join(f"{n % 2} a film {'ab'[n % 2]}\n" for n in range(20)))
    for name in ("abt", "buy"):
        (shops / f"{name}clean.csv").write_text("id|name\n" + "".join(f"{n}|thing {n}\n" for n in range(20)))
    (shops / "gtclean.csv").write_text("a|b\n" + "".join(f"{n}|{n}\n" for n in range(20)))
    monkeypatch.setenv("HEADRACE_DATA", str(tmp_path))
    return tmp_path


def test_the_table_has_each_task_alone_and_together(data: Path, tiny_encoder: str):
    command = ["finetune", "multitask", "--tasks", "intent,sentiment,matching", "--text-encoder", tiny_encoder]
    done = CliRunner().invoke(
        app, [*command, "--rows", "16", "--seeds", "1", "--epochs", "1", "--json"], catch_exceptions=False
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert [line["task"] for line in found["tasks"]] == ["intent", "sentiment", "matching"]
    assert all(0 <= line[method]["mean"] <= 1 for line in found["tasks"] for method in ("alone", "together"))
    assert found["config"]["weighting"] == "uncertainty"


def test_a_table_of_ones_own_is_learnt_column_by_column(tmp_path: Path, tiny_encoder: str):
    path = tmp_path / "rows.csv"
    lines = [f"my {w} is {m},{w},{m if n % 3 else ''}" for n in range(10) for w in ("card", "loan") for m in "ab"]
    path.write_text("\n".join(["text,topic,mood", *lines]) + "\n")
    command = ["finetune", "multitask", "--train", path, "--test", path, "--text-encoder", tiny_encoder]
    done = CliRunner().invoke(
        app, [*map(str, command), "--seeds", "1", "--epochs", "1", "--json"], catch_exceptions=False
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert [line["task"] for line in found["tasks"]] == ["topic", "mood"]


def test_wrong_usage_is_said_in_one_line(data: Path, tmp_path: Path):
    def refused(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["finetune", "multitask", *arguments])
        assert isinstance(done.exception, UsageError)
        return str(done.exception)

    assert "at most once" in refused("--tasks", "intent,intent")
    assert "name each of intent, scope, sentiment, matching" in refused("--tasks", "mood")
    assert "--weighting loud" in refused("--weighting", "loud")
    assert "clinc150" in refused("--tasks", "scope")
    (tmp_path / "rows.csv").touch()
    assert "give both" in refused("--train", str(tmp_path / "rows.csv"))
