"""`headrace evaluate intent`, `sentiment`, `matching` and `headrace finetune …` on small files."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.errors import UsageError
from headrace_cli import app
from trainer.text.compare import Setting, run_method
from trainer.text.finetuning.adaptation import Method
from trainer.text.labelled import Labelled
from trainer.text.tasks import Task


def run(*arguments: object) -> dict[str, object]:
    """The JSON object that a command's last line is."""
    done = CliRunner().invoke(app, [*map(str, arguments), "--json"], catch_exceptions=False)
    return json.loads(done.stdout.splitlines()[-1])


def refused(*arguments: object) -> str:
    """The error of a command."""
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert isinstance(done.exception, UsageError)
    return str(done.exception)


@pytest.fixture
def table(questions: Labelled, tmp_path: Path) -> Path:
    """The questions as CSV."""
    path = tmp_path / "questions.csv"
    rows = [f"{text},{questions.classes[i]}" for text, i in zip(questions.texts, questions.label, strict=True)]
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return path


def test_intent_prints_accuracy_and_how_it_came_about(table: Path, tiny_encoder: str):
    command = ["evaluate", "intent", "--train", table, "--test", table, "--text-encoder", tiny_encoder]
    found = run(*command, "--method", "lora", "--epochs", 2)
    assert 0 <= found["accuracy"] <= 1
    assert (found["method"], found["classes"], found["rows"], found["oos_auroc"]) == ("lora", 3, 54, None)


def test_sentiment_reads_label_and_text_lines(tmp_path: Path, tiny_encoder: str):
    lines = [f"{n % 2} a {'fine' if n % 2 else 'dull'} film number {n}" for n in range(40)]
    path = tmp_path / "films.train"
    path.write_text("\n".join(lines) + "\n")
    files = ["--train", path, "--valid", path, "--test", path]
    found = run("evaluate", "sentiment", *files, "--text-encoder", tiny_encoder, "--epochs", 1)
    assert (found["classes"], found["test_rows"]) == (2, 40)


def test_matching_prints_both_directions_frozen_and_tuned(tmp_path: Path, tiny_encoder: str):
    shop, pairs = tmp_path / "shop.csv", tmp_path / "pairs.csv"
    shop.write_text("id|name\n" + "".join(f"{n}|thing {n}\n" for n in range(12)))
    pairs.write_text("a|b\n" + "".join(f"{n}|{n}\n" for n in range(12)))
    found = run("evaluate", "matching", shop, shop, pairs, "--text-encoder", tiny_encoder, "--epochs", 1)
    assert found["frozen"].keys() == found["tuned"].keys() == {"first_to_second", "second_to_first"}
    assert found["frozen"]["first_to_second"]["at_1"] == 1
    assert found["train_pairs"] == found["test_pairs"] == 6


def test_few_shot_prints_three_accuracies_and_keeps_the_head(table: Path, tmp_path: Path, tiny_encoder: str):
    command = ["finetune", "few-shot", "--train", table, "--test", table, "--text-encoder", tiny_encoder]
    found = run(*command, "--shots", 2, "--method", "ia3", "--out", tmp_path / "head")
    assert list(found["accuracy"]) == ["zero_shot", "frozen", "ia3"]
    assert found["examples"] == 6
    assert {"model.safetensors", "tokenizer.json", "head.pt", "classes.json"} <= {
        path.name for path in (tmp_path / "head").iterdir()
    }
    assert "it exists" in refused(*command, "--shots", 2, "--method", "frozen", "--out", tmp_path / "head")
    assert "is not saved" in refused(*command, "--shots", 2, "--method", "prefix", "--out", tmp_path / "other")


def test_a_method_is_compared_by_quality_share_time_and_memory(questions: Labelled, tiny_encoder: str):
    setting = Setting(Task(questions, questions, questions, True), 1, 0, "cpu", tiny_encoder)
    found = {method: run_method(setting, method) for method in (Method.FROZEN, Method.LORA, Method.FULL)}
    assert [line.trainable_share for line in found.values()][::2] == [0, 1]
    assert all(0 < line.accuracy <= 1 and line.seconds > 0 and line.peak_memory_mb > 100 for line in found.values())


def test_comparing_runs_each_method_in_a_process_of_its_own(table: Path, tiny_encoder: str):
    command = ["finetune", "compare", "--train", table, "--test", table, "--text-encoder", tiny_encoder]
    found = run(*command, "--methods", "frozen", "--rows", 30)
    assert [line["method"] for line in found["methods"]] == ["frozen"]
    assert found["rows"] == 30


def test_wrong_usage_is_said_in_one_line(table: Path, tmp_path: Path):
    assert "--train is missing" in refused("evaluate", "intent", "--test", table)
    assert "--test is needed" in refused("evaluate", "intent", "--train", table)
    assert "--method qlora" in refused("evaluate", "intent", "--train", table, "--test", table, "--method", "qlora")
    assert "--task or" not in refused("finetune", "compare", "--task", "mnli")
    assert "give either --task" in refused("finetune", "compare")
    bad = tmp_path / "bad.csv"
    bad.write_text("text,label\nhello,greeting\n")
    assert "bad.csv, line 2: label 'greeting'" in refused("evaluate", "intent", "--train", table, "--test", bad)
